"""How work is cut for several devices: by branches of the trie, by sequences, or both.

A cut by sequences loses no sharing, but a smaller batch takes hardly less time on a GPU. A cut by rows costs
the blocks that the subnetworks on its two sides have in common. Which is better depends on the device, whose
pace is measured, and is decided by when the last device would be done.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from depthkit_worker.subnetworks.executor import Evaluation, Piece
from depthkit_worker.subnetworks.plan import Plan, cost_of_rows, stretches_of
from depthkit_worker.subnetworks.steps import StepCost

MOST_SECONDS = 4.0
"""A piece should take no longer: it is done again where its device is lost, and tells no progress before."""
SLACK = 0.05
"""How much later the work may end for shorter pieces: a measured pace is no more exact than that."""
PIECE_SECONDS = 0.02
"""What a piece takes beside its blocks: two messages, and the states in front of the first block."""
ENOUGH = 16
"""Pieces for each device, from where on smaller ones do not end sooner."""


@dataclass(frozen=True)
class Pace:
    """How long a block takes."""

    call: float
    """Seconds, however small the batch."""
    token: float
    """Seconds for each token of the batch."""

    def block(self, tokens: int) -> float:
        return self.call + self.token * tokens

    def times(self, factor: float) -> Pace:
        return Pace(self.call * factor, self.token * factor)


@dataclass(frozen=True)
class Split:
    """A way of cutting the work, and what is expected of it."""

    pieces: tuple[Piece, ...]
    each: tuple[float, ...]
    """Seconds that each piece takes."""
    devices: int
    evaluations: float
    """Blocks run on a batch of the plan for one device, a sublayer alone counting as its share."""
    sharing_lost: float
    """Blocks run more than on one device, by those that run there: 0.1 is a tenth more work."""
    seconds: float
    """Until the last device is done."""
    alone: float
    """Seconds that one device of this pace takes."""


@dataclass(frozen=True)
class ItemCut:
    """Items of one subnetwork's work, cut into parts."""

    parts: tuple[range, ...]
    seconds: tuple[float, ...]
    """That each part takes."""


def cut_items(
    count: int, batch: int, seconds: Callable[[range], float], devices: int, beside: float = 0.0
) -> ItemCut:
    """`count` items in parts of whole batches, or where these are too few in smaller batches, so that
    `devices` are done soonest. `seconds`: of some items as one batch; `beside`: that every part takes
    besides."""
    return (
        _best(_item_cuts(count, batch, seconds, devices, beside + PIECE_SECONDS), devices)
        if count
        else ItemCut((), ())
    )


def _item_cuts(
    count: int, batch: int, seconds: Callable[[range], float], devices: int, beside: float
) -> Iterator[ItemCut]:
    """From one part down, each half as large as the one before, until there are many."""
    batch = min(batch, count)
    whole = [batch << power for power in reversed(range(((count - 1) // batch).bit_length() + 1))]
    smaller = [-(-batch >> power) for power in range(1, batch.bit_length())]
    for size in (*whole, *smaller):
        parts = tuple(_stretches_of(range(count), size))
        each = (sum(map(seconds, _stretches_of(part, min(size, batch)))) + beside for part in parts)
        found = ItemCut(parts, tuple(each))
        yield found
        if len(parts) >= ENOUGH * devices and max(found.seconds) <= MOST_SECONDS:
            return


def _stretches_of(items: range, size: int) -> Iterator[range]:
    return (items[first : first + size] for first in range(0, len(items), size))


@dataclass(frozen=True)
class _Cut:
    pieces: tuple[Piece, ...]
    seconds: tuple[float, ...]
    evaluations: float


C = TypeVar("C", _Cut, ItemCut)


def split(plan: Plan, evaluation: Evaluation, cost: StepCost, tokens: int, pace: Pace, devices: int) -> Split:
    """The pieces of `plan` cut further, so that `devices` of them are done soonest. `tokens`: of the longest
    sequence."""
    if devices < 1:
        raise ValueError(f"Work cannot be split over {devices} devices.")
    costs: dict[tuple[int, int], float] = {}

    def walked(rows: NDArray[np.int64]) -> float:
        key = (int(rows[0]), int(rows[-1]))
        if key not in costs:
            costs[key] = cost_of_rows(evaluation.codes[rows], evaluation.compares, cost).evaluations
        return costs[key]

    def cut(parts: int, batches: int) -> _Cut:
        pieces = tuple(_pieces(plan, evaluation.codes, parts, batches))
        seconds, evaluations = [], 0.0
        for piece in pieces:
            blocks = walked(piece.rows) + len(piece.rows) * plan.head_cost
            seconds.append(blocks * pace.block(piece.sequences * tokens) + PIECE_SECONDS)
            evaluations += walked(piece.rows) * piece.sequences / plan.batch_size
        return _Cut(pieces, tuple(seconds), evaluations)

    one = cut(1, 1)
    best = _best(_candidates(cut, plan, devices), devices)
    return Split(
        pieces=best.pieces,
        each=best.seconds,
        devices=devices,
        evaluations=best.evaluations,
        sharing_lost=best.evaluations / one.evaluations - 1 if one.evaluations else 0.0,
        seconds=done_after(best.seconds, devices),
        alone=sum(one.seconds),
    )


def done_after(seconds: Iterable[float], devices: int) -> float:
    """When the last of `devices` is done with pieces of so many seconds, each taken in order by the first
    device that is free."""
    free = [0.0] * devices
    for piece in seconds:
        heapq.heappush(free, heapq.heappop(free) + piece)
    return max(free)


def _best(candidates: Iterable[C], devices: int) -> C:
    """The one that ends soonest; of those that end about as soon, the one whose pieces are short enough, and
    then the one with the fewest."""
    ends = [(done_after(found.seconds, devices), found) for found in candidates]
    soon = (1 + SLACK) * min(end for end, _ in ends)
    return min(
        (found for end, found in ends if end <= soon),
        key=lambda found: (max(MOST_SECONDS, *found.seconds), len(found.seconds)),
    )


def _candidates(cut: Callable[[int, int], _Cut], plan: Plan, devices: int) -> Iterator[_Cut]:
    """All pairs of a cut by sequences and one by rows, each twice as fine as the one before, until pieces are
    short and many."""
    for batches in _powers(max(piece.sequences for piece in plan.pieces)):
        for parts in _powers(max(len(piece.rows) for piece in plan.pieces)):
            found = cut(parts, batches)
            yield found
            if len(found.pieces) >= ENOUGH * devices and max(found.seconds) <= MOST_SECONDS:
                if parts == 1:
                    return
                break


def _powers(most: int) -> list[int]:
    return [1 << power for power in range(most.bit_length())]


def _pieces(plan: Plan, codes: NDArray[np.uint8], parts: int, batches: int) -> Iterator[Piece]:
    """Each piece of `plan` in about `parts` stretches of rows and `batches` batches, a stretch's batches one
    after the other, so that it is finished before the next begins."""
    for _, alike in itertools.groupby(plan.pieces, key=lambda piece: int(piece.rows[0])):
        of_stretch = list(alike)
        rows = of_stretch[0].rows
        for within in _stretches(codes[rows], parts):
            for piece in of_stretch:
                count = min(batches, piece.sequences)
                ends = [piece.first + piece.sequences * number // count for number in range(count + 1)]
                for first, end in itertools.pairwise(ends):
                    yield replace(piece, rows=rows[within], first=first, end=end)


def _stretches(codes: NDArray[np.uint8], parts: int) -> list[NDArray[np.int64]]:
    if parts == 1:
        return [np.arange(len(codes))]
    most = max(1, int(len(codes) / parts * 4 / 3))
    return stretches_of(codes, max(1, most // 2), most)
