"""What subnetworks are scored on, as the engine sees it: batches of token ids, which of their places go
through the head, and how what is read there adds up to measures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from depthkit_worker.contract.wire import Measure, ScoredPositions
from depthkit_worker.models.decoder import Branching


class ScoredRows(Protocol):
    """The places of one batch that go through the head."""

    @property
    def rows(self) -> Tensor:
        """int64 (rows,): places in the batch, flattened to (batch x sequence), each once."""

    @property
    def targets(self) -> Tensor:
        """int64 (targets,): the tokens whose probability is read."""

    @property
    def picks(self) -> Tensor | None:
        """int64 (targets,): which of `rows` predicts each; None: one target per row, in their order."""

    @property
    def quantities(self) -> frozenset[str]:
        """What is read off the logits: loss (of each target, its cross entropy in nats), greedy (whether a
        target is the likeliest token), kl, logit-distance (of each row)."""

    @property
    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of each target, or of each row where there are no `picks`: its sequence in the data, and its place
        in that (or in the choice)."""

    @property
    def counts(self) -> NDArray[np.int64]:
        """(measures,): how many positions or items each sums over."""

    def sums(self, values: Mapping[str, Tensor]) -> NDArray[np.float64]:
        """(measures,), from the quantities."""

    @property
    def numbers(self) -> NDArray[np.int64]:
        """(sequences,): the place of each in the data."""

    def by_sequence(self, values: Mapping[str, Tensor]) -> NDArray[np.float64]:
        """(sequences, measures): each sequence's own means, NaN where nothing of it is counted."""


@dataclass(frozen=True)
class Rows:
    """What runs together, on CPU."""

    input_ids: Tensor
    """int64 (batch, sequence), the end of shorter rows padded."""
    scored: ScoredRows
    branching: Branching | None = None
    counted: Tensor | None = None
    """bool (batch, sequence): what is no padding; None where nobody asks."""


class Scorable(Protocol):
    """Data that pieces are cut from. A sequence is what is not cut further: a corpus's, or a task's item."""

    @property
    def what(self) -> str:
        """Its name in messages."""

    @property
    def measures(self) -> Sequence[Measure]: ...
    @property
    def has_positions(self) -> bool:
        """Whether `ScoredPositions` may leave some out."""

    @property
    def sequences(self) -> int: ...
    @property
    def longest(self) -> int:
        """Tokens of the longest row."""

    def shares(self, size: int | None, fitting: Callable[[int], int]) -> list[tuple[int, int]]:
        """First and end of the sequences of each batch: `size` of them, or where it is None as many as make
        no more rows of their length than fit."""

    def scored_share(self, positions: ScoredPositions) -> float:
        """Positions that go through the head, by tokens: an estimate for planning."""

    def batch(
        self, first: int, end: int, positions: ScoredPositions, measures: Sequence[Measure]
    ) -> Rows: ...
