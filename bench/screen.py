"""The precision `screen` against the exact engine, in one run: speed, error in nats, and order.

Leave-one-out losses of all blocks and of all sublayers, exact and screened in turn, some subnetworks at a
time, so that a busy machine slows both alike. Both orders of going first take turns.

    PYTHONPATH=python/src python bench/screen.py MODEL_FOLDER TEXTS.jsonl [--shape 4x128] [--stretch 10] \\
        [--threads 2] [--device cuda]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from depthkit_worker.contract.wire import EngineOptions, Precision
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.masks import Subnetworks
from depthkit_worker.subnetworks.screening import screening_of
from engine import LOSS, Clock, load, read_corpus, workloads

PRECISIONS: tuple[Precision, ...] = ("exact", "screen")
LOWEST = (1, 3, 5, 10, 20)


def ranks(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return values.argsort().argsort()


def overlap(exact: NDArray[np.float64], screened: NDArray[np.float64], count: int) -> int:
    """How many of the `count` lowest are among those of the other."""
    return len(set(exact.argsort()[:count].tolist()) & set(screened.argsort()[:count].tolist()))


def reached(exact: NDArray[np.float64], screened: NDArray[np.float64], count: int) -> int:
    """How many of the lowest by screening hold the `count` lowest: what has to be scored again exactly."""
    return 1 + int(ranks(screened)[exact.argsort()[:count]].max())


def run(decoder: Decoder, corpus: Corpus, name: str, asked: Subnetworks, stretch: int) -> None:
    clocks = {precision: Clock(decoder.device) for precision in PRECISIONS}
    losses = {precision: np.zeros(len(asked.kept)) for precision in PRECISIONS}

    def evaluate(rows: slice, precision: Precision) -> None:
        options = EngineOptions(batch_size=corpus.sequences, precision=precision)
        part = Subnetworks(asked.units, asked.kept[rows])
        result = evaluate_subnetworks(decoder, corpus, part, LOSS, options, Unattended())
        losses[precision][rows] = result.values[:, 0]

    for turn, first in enumerate(range(0, len(asked.kept), stretch)):
        rows = slice(first, first + stretch)
        for precision in PRECISIONS[:: 1 if turn % 2 == 0 else -1]:
            clocks[precision].time(lambda: evaluate(rows, precision))  # noqa: B023
    exact, screened = losses["exact"], losses["screen"]
    error = screened - exact
    speed = {
        kind: sum(getattr(clocks["exact"], kind)) / sum(getattr(clocks["screen"], kind))
        for kind in ("wall", "cpu")
    }
    spearman = float(np.corrcoef(ranks(exact), ranks(screened))[0, 1])
    lowest = ", ".join(
        f"{overlap(exact, screened, count)} of {count} (all in {reached(exact, screened, count)})"
        for count in LOWEST
    )
    print(
        f"{name}: speed x{speed['wall']:.2f} wall, x{speed['cpu']:.2f} processor\n"
        f"  rank correlation {spearman:.4f}; error in nats: most {abs(error).max():.4f}, mean "
        f"{abs(error).mean():.4f}, shift {error.mean():+.4f}, spread around it {error.std():.4f}\n"
        f"  lowest: {lowest}; exact losses {exact.min():.3f} to {exact.max():.3f}, between the lowest ten "
        f"{np.diff(np.sort(exact)[:10]).mean():.4f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--shape", default="4x128")
    parser.add_argument("--stretch", type=int, default=10)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    given = parser.parse_args()
    threads = given.threads or torch.get_num_threads()
    torch.set_num_threads(threads)
    decoder = load(given.model, given.device, torch.float32)
    sequences, length = map(int, given.shape.split("x"))
    corpus = read_corpus(given.model, decoder, given.texts, sequences, length)
    print(
        f"{given.shape} tokens, {given.device}, {threads} threads, torch {torch.__version__}, products in "
        f"{screening_of(decoder)}",
        flush=True,
    )
    for name, (asked, _) in workloads(decoder.depth).items():
        if name.startswith("leave-one-out"):
            run(decoder, corpus, name, asked, given.stretch)


if __name__ == "__main__":
    main()
