#!/usr/bin/env bash
# Every check of depthkit on a GPU within ten minutes, on one NVIDIA GPU with PyTorch, Triton, transformers,
# peft, msgspec, safetensors and a C compiler: values of all families against the CPU, the head's kernel, the
# engine against published forwards, and eight billion parameters. Needs neither Node nor network.
#
#   bench/gpu.sh [values|head|engine|little|large ...]     without a name: all of them
set -uo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH="python/src:bench:tests/python:${PYTHONPATH:-}" PYTHONUNBUFFERED=1
python=${DEPTHKIT_PYTHON:-python3}
model=$(mktemp -d)
trap 'rm -rf "$model"' EXIT

values() {
  (cd python && "$python" -m pytest -q -x -p no:cacheprovider ../tests/python/gpu \
    ../tests/python/subnetworks/test_head_kernel.py 2>&1 | tail -15)
}
head() { "$python" bench/gpu/head.py; }
engine() { against_forwards "128x128" "30 blocks;40 removal;60 sublayers"; }
little() { against_forwards "4x128 32x128" "30 blocks;60 sublayers"; }
against_forwards() {
  [ -e "$model/config.json" ] || "$python" bench/gpu/make_model.py "$model"
  for dtype in float32 bfloat16; do
    for shape in $1; do
      "$python" bench/engine.py "$model" --device cuda --shape "$shape" --dtype $dtype --seconds 4 --only "$2"
    done
  done
}
large() { "$python" bench/gpu/eight_billion.py --seconds 150; }

for part in "${@:-values head engine little large}"; do
  for one in $part; do
    echo "== $one"
    SECONDS=0
    "$one"
    echo "== $one took $SECONDS s"
  done
done
