"""The output head on a GPU: the kernel with several tiles, the tiles of torch, and the product alone, in one
run, with SmolLM2-135M's shape or Llama-3.1-8B's and random weights.

    PYTHONPATH=python/src python bench/gpu/head.py [--rows 16384] [--hidden 576] [--vocabulary 49152]
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM, LlamaConfig

from depthkit_worker.data.corpus import Batch
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.profiling.workload import timed
from depthkit_worker.subnetworks import head_kernel
from depthkit_worker.subnetworks.head import Head
from depthkit_worker.subnetworks.positions import ALL_POSITIONS, MEASURES, scored_rows
from depthkit_worker.subnetworks.scoring import Scorer

DEVICE = torch.device("cuda")
UNIT = 512
"""Times are for so many rows."""
TILES = (
    # rows, columns, columns where it compares, step, warps, stages
    (128, 128, 64, 64, 8, 3),
    (128, 128, 64, 64, 8, 4),
    (128, 256, 128, 64, 8, 3),
    (128, 64, 32, 64, 4, 4),
    (64, 128, 64, 64, 4, 4),
)


def milliseconds(work: Callable[[], object], rows: int) -> float:
    for _ in range(2):
        work()
    return statistics.median(timed(DEVICE, work) for _ in range(7)) * 1e3 * UNIT / rows


@torch.inference_mode()
def measure(dtype: torch.dtype, rows: int, hidden: int, vocabulary: int) -> None:
    config = LlamaConfig(
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=1,
        num_attention_heads=hidden // 64,
        vocab_size=vocabulary,
        tie_word_embeddings=True,
    )
    with torch.device(DEVICE):
        model = AutoModelForCausalLM.from_config(config, dtype=dtype).eval()
    decoder = Decoder(model)
    ids = torch.randint(3, vocabulary, (rows // 128, 128))
    batch = Batch(ids, torch.full((len(ids),), 128))
    dense, state = (2 * torch.randn(rows // 128, 128, hidden, device=DEVICE, dtype=dtype) for _ in range(2))
    print(f"{dtype}, {rows} rows of {hidden}, {vocabulary} words, ms for {UNIT} rows", flush=True)
    found: dict[tuple[str, ...], list[dict[str, Tensor]]] = {}
    for measures in (MEASURES[:1], MEASURES):
        scored = scored_rows(batch, ALL_POSITIONS, measures)
        for kernel in (False, True):
            head = Head(decoder)
            if not kernel:
                head.__dict__["_kernel"] = "the bench asks for tiles"
            scorer = Scorer(head, scored, dense if len(measures) > 1 else None, lambda: None)
            read = [scorer.read(state)] * (16 if len(measures) > 1 else 1)
            for sizes in TILES if kernel else TILES[:1]:
                (
                    head_kernel.ROWS,
                    head_kernel.COLUMNS,
                    head_kernel.COMPARED_COLUMNS,
                    head_kernel.STEP,
                    head_kernel.WARPS,
                    head_kernel.STAGES,
                ) = sizes
                name = f"kernel {sizes}" if kernel else "tiles of torch"
                try:
                    if kernel and head.kernel is None:
                        raise RuntimeError(head.without_kernel)
                    values = scorer.score(read)
                    time = milliseconds(lambda: scorer.score(read), rows * len(read))  # noqa: B023
                except Exception as error:
                    print(f"  {', '.join(measures):28} {name:34} {type(error).__name__}: {str(error)[:200]}")
                    continue
                off = ""
                if kernel:
                    exact = found[measures]
                    off = ", ".join(
                        f"{measure} {float((values[0][measure] - exact[0][measure]).abs().max()):.1e}"
                        for measure in measures
                    )
                else:
                    found[measures] = values
                print(f"  {', '.join(measures):28} {name:34} {time:7.3f}   most off: {off}", flush=True)
    weight, flat = head.weight, state.flatten(0, 1)
    product = milliseconds(lambda: torch.nn.functional.linear(flat[:8192], weight), 8192)
    print(f"  the product alone {product:7.3f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=16_384)
    parser.add_argument("--hidden", type=int, default=576)
    parser.add_argument("--vocabulary", type=int, default=49_152)
    given = parser.parse_args()
    for dtype in (torch.bfloat16, torch.float32):
        measure(dtype, given.rows, given.hidden, given.vocabulary)


if __name__ == "__main__":
    main()
