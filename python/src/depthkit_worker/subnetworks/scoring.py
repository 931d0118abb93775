"""From final states to measures: one pass of the head over the vocabulary serves them all.

With z the dense model's logits and y a subnetwork's, at one position:
loss = log sum exp(y) - y[target]; kl = sum p (z - y) - log sum exp(z) + log sum exp(y), p = softmax(z);
logit-distance = sqrt(sum (z - y)^2); greedy = whether no token has a higher logit than the target, nor a
lower id with the same. Each is a sum over the vocabulary, taken tile by tile: exponentials in fp32 relative
to the tile's own highest logit, tiles put together in fp64. On a GPU a kernel takes the sums where it can
(`head_kernel.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from depthkit_worker.models.devices import in_fp64
from depthkit_worker.subnetworks.head import Head, Tile
from depthkit_worker.subnetworks.head_sums import Sums, divergence
from depthkit_worker.subnetworks.scorable import ScoredRows

if TYPE_CHECKING:
    from depthkit_worker.subnetworks.head_kernel import HeadKernel

READABLE = "readable"
LEAST_EXPONENT = -80.0
"""Below this exp is 0 for every sum here (1e-35 of the highest term), and where its result would underflow
it takes ten times as long on a CPU. Subnetworks that lost much give such logits."""


@dataclass
class _Tally:
    """`Sums` that grow by a tile at a time."""

    highest: list[Tensor] = field(default_factory=list)
    exponentials: list[Tensor] = field(default_factory=list)
    target: Tensor | None = None
    best: tuple[Tensor, Tensor] | None = None
    """The highest logit so far and its token, the lowest of equal ones."""
    differences: list[Tensor] = field(default_factory=list)
    squares: list[Tensor] = field(default_factory=list)

    def sums(self) -> Sums:
        return Sums(
            highest=_stacked(self.highest),
            exponentials=_stacked(self.exponentials),
            target=self.target,
            best=None if self.best is None else self.best[1],
            differences=_stacked(self.differences),
            squares=_stacked(self.squares),
        )


class Scorer:
    """Scores final states of one batch, several at a time."""

    def __init__(
        self, head: Head, scored: ScoredRows, reference: Tensor | None, check: Callable[[], None]
    ) -> None:
        """`reference`: the dense model's final state (batch, sequence, hidden), where a measure needs it."""
        self._head = head
        self._scored = scored
        self._quantities = scored.quantities
        self._rows = scored.rows
        self._picks = None if scored.picks is None else scored.picks.to(head.device)
        self._targets = scored.targets.to(head.device)
        self._check = check
        self._reference = None if reference is None else self.read(reference)

    def read(self, state: Tensor) -> Tensor:
        """The scored rows of a final state (batch, sequence, hidden), normed: (rows, hidden)."""
        flat = state.flatten(0, 1)
        if len(self._rows) < len(flat):
            flat = flat[self._rows.to(flat.device)]
        return self._head.read(flat)

    def score(
        self, states: Sequence[Tensor], weights: Sequence[Tensor | None] | None = None
    ) -> list[dict[str, Tensor]]:
        """For each of what `read` gave, under the head's own weight or another in its place, every quantity:
        fp64 on CPU, (targets,) where it is about targets and (rows,) where it compares; and under `READABLE`
        which rows' logits are neither NaN nor infinite."""
        weights = weights or [None] * len(states)
        kernel = self._head.kernel
        # The kernel reads one target a row, off logits of the model's own head.
        if kernel is not None and self._picks is None and all(weight is None for weight in weights):
            return self._by_kernel(kernel, states)
        return self._by_tiles(states, weights)

    def _by_kernel(self, kernel: HeadKernel, states: Sequence[Tensor]) -> list[dict[str, Tensor]]:
        dense = [] if self._reference is None else [self._reference]
        parts: list[list[dict[str, Tensor]]] = []
        for rows in kernel.shares(len(self._rows), len(dense) + len(states)):
            self._check()
            targets = self._targets[rows]
            stacked = torch.stack([state[rows] for state in (*dense, *states)])
            sums = kernel.sums(stacked, targets, compare=bool(dense))
            parts.append([self._values(one, sums[0], targets) for one in sums[len(dense) :]])
        return [
            {name: torch.cat([values[name] for values in of_state]) for name in of_state[0]}
            for of_state in zip(*parts, strict=True)
        ]

    def _by_tiles(
        self, states: Sequence[Tensor], weights: Sequence[Tensor | None]
    ) -> list[dict[str, Tensor]]:
        tallies = [_Tally() for _ in states]
        dense = _Tally()
        for tile in self._head.tiles(len(self._rows)):
            z = shifted = None
            if self._reference is not None:
                self._check()
                z = self._head.logits(self._reference, tile)
                if "kl" in self._quantities:
                    shifted = z.clone()
                    _add_exponentials(dense, shifted)
            for state, tally, weight in zip(states, tallies, weights, strict=True):
                self._check()
                own = tile if weight is None else replace(tile, weight=weight[tile.columns])
                self._add(tally, self._head.logits(state, own), tile, z, shifted)
        of_dense = dense.sums()
        return [self._values(tally.sums(), of_dense, self._targets) for tally in tallies]

    def _add(self, tally: _Tally, y: Tensor, tile: Tile, z: Tensor | None, p: Tensor | None) -> None:
        if "loss" in self._quantities:
            self._take_target(tally, y, tile)
        if "greedy" in self._quantities:
            _take_best(tally, y, tile)
        if z is not None:
            difference = z - y
            if p is not None:
                tally.differences.append(torch.linalg.vecdot(difference, p))
            if "logit-distance" in self._quantities:
                tally.squares.append(torch.linalg.vecdot(difference, difference))
        if "loss" in self._quantities or p is not None:
            _add_exponentials(tally, y)

    def _take_target(self, tally: _Tally, y: Tensor, tile: Tile) -> None:
        place = self._targets - tile.columns.start
        inside = (place >= 0) & (place < y.shape[1])
        place = place.clamp(0, y.shape[1] - 1)
        found = y.gather(1, place[:, None])[:, 0] if self._picks is None else y[self._picks, place]
        tally.target = found if tally.target is None else torch.where(inside, found, tally.target)

    def _readable(self, values: dict[str, Tensor], log_sum: Tensor | None) -> Tensor:
        """bool (rows,): NaN or infinity anywhere in the vocabulary is in each of its sums."""
        sums = [values[name] for name in ("kl", "logit-distance") if name in values]
        sums += [] if log_sum is None else [log_sum]
        return torch.stack([one.isfinite() for one in sums]).all(0)

    def _values(self, sums: Sums, dense: Sums, targets: Tensor) -> dict[str, Tensor]:
        values: dict[str, Tensor] = {}
        log_sum = None if sums.highest is None else sums.log_sum()
        if "loss" in self._quantities and log_sum is not None and sums.target is not None:
            of_targets = log_sum if self._picks is None else log_sum[self._picks.to(log_sum.device)]
            values["loss"] = of_targets - in_fp64(sums.target)
        if sums.best is not None:
            best = sums.best if self._picks is None else sums.best[self._picks]
            values["greedy"] = in_fp64(best == targets)
        if "kl" in self._quantities and log_sum is not None:
            values["kl"] = divergence(sums, dense, log_sum)
        if "logit-distance" in self._quantities and sums.squares is not None:
            values["logit-distance"] = in_fp64(sums.squares).sum(0).sqrt()
        values[READABLE] = self._readable(values, log_sum)
        return {name: value.cpu() for name, value in values.items()}


def _stacked(tiles: list[Tensor]) -> Tensor | None:
    return torch.stack(tiles) if tiles else None


def _take_best(tally: _Tally, logits: Tensor, tile: Tile) -> None:
    highest, place = logits.max(1)
    place += tile.columns.start
    if tally.best is not None:
        higher = highest > tally.best[0]
        highest, place = (
            torch.where(higher, highest, tally.best[0]),
            torch.where(higher, place, tally.best[1]),
        )
    tally.best = (highest, place)


def _add_exponentials(tally: _Tally, logits: Tensor) -> None:
    """Turns `logits` into exp(logits - highest) in place."""
    highest = logits.amax(1, keepdim=True)
    tally.highest.append(highest[:, 0])
    logits.sub_(highest)
    if logits.device.type == "cpu":
        logits.clamp_(min=LEAST_EXPONENT)
    tally.exponentials.append(logits.exp_().sum(1))
