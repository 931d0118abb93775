"""A corpus as batches of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from depthkit_worker.contract.wire import Measure, ScoredPositions
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.subnetworks.hands import Items, Load
from depthkit_worker.subnetworks.positions import MEASURES, scored_rows
from depthkit_worker.subnetworks.scorable import Rows


@dataclass(frozen=True)
class CorpusRows:
    """Its sequences are rows."""

    corpus: Corpus
    what = "a corpus"
    measures = MEASURES
    has_positions = True

    @property
    def sequences(self) -> int:
        return self.corpus.sequences

    @property
    def longest(self) -> int:
        return self.corpus.length

    def shares(self, size: int | None, fitting: Callable[[int], int]) -> list[tuple[int, int]]:
        size = size or fitting(self.longest)
        return [(first, min(first + size, self.sequences)) for first in range(0, self.sequences, size)]

    def scored_share(self, positions: ScoredPositions) -> float:
        scored = self.longest / positions.every
        return (scored if positions.last is None else min(scored, positions.last)) / self.longest

    def batch(self, first: int, end: int, positions: ScoredPositions, measures: Sequence[Measure]) -> Rows:
        batch = self.corpus.batch_of(range(first, end))
        return Rows(batch.input_ids, scored_rows(batch, positions, measures, first))


def sequences_of(corpus: Corpus, batch_size: int) -> Items[Corpus]:
    """A corpus's sequences, for work on one subnetwork."""

    def load(sequences: range) -> Load:
        longest = max(len(corpus.row(number)) for number in sequences)
        return Load(1, len(sequences) * longest)

    return Items(corpus.sequences, batch_size, load, corpus.part)
