"""What a block and the head cost by the number of tokens in a call, on CPU or a GPU: where the default batch
comes from (`memory/batch_sizes.py`). On a GPU also a block as a CUDA graph, which launches its kernels at
once.

    PYTHONPATH=python/src python bench/engine_blocks.py MODEL_FOLDER [--device cuda] [--length 128]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from torch import LongTensor, Tensor
from transformers import AutoModelForCausalLM

from depthkit_worker.contract.wire import Measure
from depthkit_worker.data.corpus import Batch
from depthkit_worker.models.decoder import Decoder, Replay
from depthkit_worker.profiling.workload import timed
from depthkit_worker.subnetworks.head import Head
from depthkit_worker.subnetworks.positions import ALL_POSITIONS, scored_rows
from depthkit_worker.subnetworks.scoring import Scorer

UNIT = 512
"""Times are for so many tokens, whatever the call holds."""
ROUNDS = 15
LOSS: tuple[Measure, ...] = ("loss",)


def median_ms(work: Callable[[], object], device: torch.device) -> float:
    for _ in range(3):
        work()
    return statistics.median(timed(device, work) for _ in range(ROUNDS)) * 1e3


def graphed(decoder: Decoder, index: int, hidden: Tensor, replay: Replay) -> Callable[[], None]:
    """The block as one launch: memory and shapes are fixed when the graph is made."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        decoder.run_block(index, hidden, replay)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        decoder.run_block(index, hidden, replay)
    return graph.replay


@torch.inference_mode()
def measure(decoder: Decoder, length: int, largest: int) -> None:
    device = decoder.device
    print(f"{decoder.dtype}, sequences of {length}, ms for {UNIT} tokens", flush=True)
    for power in itertools.count():
        tokens = UNIT * 2**power
        if tokens > largest:
            return
        ids = torch.randint(3, decoder.vocabulary_size, (tokens // length, length))
        batch = Batch(ids, torch.full((len(ids),), length))
        replay = decoder.begin(cast("LongTensor", ids.to(device)))
        hidden = decoder.run_block(0, replay.hidden, replay)
        scorer = Scorer(Head(decoder), scored_rows(batch, ALL_POSITIONS, LOSS), None, lambda: None)
        share = UNIT / tokens
        # The blocks in turn, as a walk visits them.
        places = itertools.cycle(range(decoder.depth))
        block = median_ms(lambda: decoder.run_block(next(places), hidden, replay), device) * share  # noqa: B023
        head = median_ms(lambda: scorer.score([scorer.read(hidden)]), device) * share  # noqa: B023
        line = f"{tokens:7} tokens: block {block:8.3f}, head {head:8.3f} ({head / block:4.1f} blocks)"
        if device.type == "cuda":
            graph = median_ms(graphed(decoder, 1, hidden, replay), device) * share
            line += f", block as a graph {graph:8.3f}"
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--largest", type=int, default=4096)
    given = parser.parse_args()
    for dtype in (torch.float32, torch.bfloat16) if given.device != "cpu" else (torch.float32,):
        model = AutoModelForCausalLM.from_pretrained(given.model, dtype=dtype).eval().to(given.device)
        measure(Decoder(model), given.length, given.largest)


if __name__ == "__main__":
    main()
