"""Text that two corpora share, wherever it stands in them: what was chosen on one is not judged by the
other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from depthkit_worker.contract.wire import CorpusOverlap
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.data.tokens import Ids, Tokeniser
from depthkit_worker.session.job import Job

STRETCH, LEAST = 32, 16
"""Tokens: long enough that two texts seldom share them by chance."""
WINDOWS = 1 << 15
"""Hashed in one go."""

Hashes = NDArray[np.uint64]


def overlap(tokeniser: Tokeniser, first: Corpus, second: Corpus, job: Job) -> CorpusOverlap:
    """Which stretches of `second` stand in `first`, at any place: a text of twice a stretch that no
    sequence's end cuts is found however each corpus cuts the rest. Short sequences are compared by shorter
    stretches."""
    shortest = min(int(np.diff(corpus.starts).min()) for corpus in (first, second))
    stretch = min(STRETCH, max(LEAST, shortest // 2), shortest)
    pieces = np.concatenate([_pieces(second.row(number), stretch) for number in range(second.sequences)])
    wanted = _hashes(pieces)
    found = np.zeros(len(pieces), dtype=bool)
    for number in range(first.sequences):
        job.check()
        windows = np.lib.stride_tricks.sliding_window_view(first.row(number), stretch)
        for begin in range(0, len(windows), WINDOWS):
            found |= np.isin(wanted, _hashes(windows[begin : begin + WINDOWS]))
        job.report("compare", number + 1, first.sequences, "sequences")
    shared = int(found.sum())
    example = None if shared == 0 else str(tokeniser.tokenizer.decode(pieces[int(found.argmax())]))
    return CorpusOverlap(stretch=stretch, stretches=len(pieces), shared=shared, example=example)


def _pieces(row: Ids, stretch: int) -> Ids:
    """The stretches of a sequence, end to end, a row each; what is left over is dropped."""
    count = len(row) // stretch
    return row[: count * stretch].reshape(count, stretch)


def _hashes(windows: Ids) -> Hashes:
    """Of each row: a polynomial in a fixed odd number, modulo 2^64."""
    powers = np.cumprod(np.full(windows.shape[1], 0x9E3779B97F4A7C15, dtype=np.uint64))
    return np.asarray((windows.astype(np.uint64) + np.uint64(1)) @ powers, dtype=np.uint64)
