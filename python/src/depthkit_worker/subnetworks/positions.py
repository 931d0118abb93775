"""Which positions of a batch each measure averages over."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from depthkit_worker.contract.wire import Measure, ScoredPositions
from depthkit_worker.data.corpus import Batch

MEASURES: tuple[Measure, ...] = ("loss", "kl", "logit-distance")
"""Those of a corpus."""
COMPARING: tuple[Measure, ...] = ("kl", "logit-distance")
"""Those that compare with the dense model."""


ALL_POSITIONS = ScoredPositions()
"""All a measure is defined at: `loss` wherever a next token follows, `kl` and `logit-distance` everywhere."""


@dataclass(frozen=True)
class Scored:
    """The positions of one batch that go through the head."""

    rows: Tensor
    """int64 (rows,): places in the batch, flattened to (batch x sequence)."""
    targets: Tensor
    """int64 (rows,): the next token; 0 where `loss` does not count the row."""
    counted: dict[Measure, Tensor]
    """Of each measure asked for, which rows it averages over: bool (rows,)."""
    width: int
    """Tokens of the batch's rows."""
    numbers: NDArray[np.int64]
    """(batch,): which sequence of the data each is."""
    picks: None = None
    """One target per row."""

    @property
    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        rows = self.rows.numpy()
        return self.numbers[rows // self.width], rows % self.width

    @property
    def quantities(self) -> frozenset[str]:
        return frozenset(self.counted)

    @property
    def counts(self) -> NDArray[np.int64]:
        return np.array([int(rows.sum()) for rows in self.counted.values()], dtype=np.int64)

    def sums(self, values: Mapping[str, Tensor]) -> NDArray[np.float64]:
        """(measures,): sums over the rows counted."""
        sums = [values[measure][counted].sum() for measure, counted in self.counted.items()]
        return torch.stack(sums).numpy()

    def by_sequence(self, values: Mapping[str, Tensor]) -> NDArray[np.float64]:
        """(batch, measures): means over the rows counted, NaN where there are none."""
        sequence, size = self.rows.numpy() // self.width, len(self.numbers)
        columns = []
        for measure, counted in self.counted.items():
            own = sequence[counted.numpy()]
            sums = np.bincount(own, values[measure][counted].numpy(), size)
            counts = np.bincount(own, minlength=size)
            columns.append(np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0))
        return np.stack(columns, axis=1)


def scored_rows(
    batch: Batch, positions: ScoredPositions, measures: Collection[Measure], first: int = 0
) -> Scored:
    """What `measures` need of `batch`, on CPU, whose sequences are those of the data from `first` on."""
    places = torch.arange(batch.input_ids.shape[1])
    lengths = batch.lengths[:, None]
    counted = {}
    for measure in measures:
        end = lengths - 1 if measure == "loss" else lengths
        at = (places < end) & ((places + 1) % positions.every == 0)
        if positions.last is not None:
            at &= places >= end - positions.last
        counted[measure] = at.flatten()
    rows = torch.stack(list(counted.values())).any(0).nonzero()[:, 0]
    counted = {measure: at[rows] for measure, at in counted.items()}
    targets = batch.input_ids.roll(-1, 1).flatten()[rows]
    if "loss" in counted:
        targets = targets.masked_fill(~counted["loss"], 0)
    width = batch.input_ids.shape[1]
    return Scored(rows, targets, counted, width, np.arange(first, first + len(batch.lengths)))
