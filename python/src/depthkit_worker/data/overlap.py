"""Text that two corpora share, wherever it stands in them: what was chosen on one is not judged by the other."""

from __future__ import annotations

from collections.abc import Iterator

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
    """Which stretches of `second` stand in `first`, at any place: a text of twice a stretch that no sequence's end
    cuts is found however each corpus cuts the rest. Short sequences are compared by shorter stretches."""
    shortest = min(int(np.diff(corpus.starts).min()) for corpus in (first, second))
    stretch = min(STRETCH, max(LEAST, shortest // 2), shortest)
    pieces = list(_pieces(second, stretch))
    wanted = np.array([int(_hashes(piece, stretch, 0, 1)[0]) for piece in pieces], dtype=np.uint64)
    found = np.zeros(len(pieces), dtype=bool)
    for number, row in enumerate(_rows(first)):
        job.check()
        for begin in range(0, len(row) - stretch + 1, WINDOWS):
            found |= np.isin(wanted, _hashes(row, stretch, begin, begin + WINDOWS))
        job.report("compare", number + 1, first.sequences, "sequences")
    shared = int(found.sum())
    example = None if shared == 0 else str(tokeniser.tokenizer.decode(pieces[int(found.argmax())]))
    return CorpusOverlap(stretch=stretch, stretches=len(pieces), shared=shared, example=example)


def _rows(corpus: Corpus) -> Iterator[Ids]:
    for number in range(corpus.sequences):
        yield corpus.ids[corpus.starts[number] : corpus.starts[number + 1]]


def _pieces(corpus: Corpus, stretch: int) -> Iterator[Ids]:
    for row in _rows(corpus):
        for begin in range(0, len(row) - stretch + 1, stretch):
            yield row[begin : begin + stretch]


def _hashes(ids: Ids, stretch: int, first: int, last: int) -> Hashes:
    """Of the windows that begin at `first` up to `last`: a polynomial in a fixed odd number, modulo 2^64."""
    part = ids[first : last + stretch - 1].astype(np.uint64) + np.uint64(1)
    windows = np.lib.stride_tricks.sliding_window_view(part, stretch)
    powers = np.cumprod(np.full(stretch, 0x9E3779B97F4A7C15, dtype=np.uint64))
    return np.asarray((windows * powers).sum(axis=1, dtype=np.uint64))
