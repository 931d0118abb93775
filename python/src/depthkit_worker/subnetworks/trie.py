"""The trie of subnetworks over depth, the order it is walked in, and what the walk will cost.

Subnetworks that agree up to a block share its computation. The walk goes down one branch at a time and
keeps one state for every branch it left behind. Of the branches at a node the one with the fewest
subnetworks goes first: the last needs nothing kept, so a state waits only while a branch of at most
half the node's subnetworks is walked. With n subnetworks at most log2(n) nodes wait (up to three states
each where sublayers are removed), however deep the model.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from depthkit_worker.models.decoder import Replay
from depthkit_worker.subnetworks.masks import WHOLE
from depthkit_worker.subnetworks.steps import StepCost, Stepper

Spend = Callable[[int, Collection[int]], None]
"""Called after each step of a walk with the block and the codes computed; may raise to stop the walk."""


@dataclass(frozen=True)
class Branch:
    """Rows `first` to `end` of the sorted codes, which lose the same `code` of the node's block."""

    code: int
    first: int
    end: int


class Trie:
    """Distinct rows of codes (subnetworks, depth), sorted, so that every branch is a stretch of rows."""

    def __init__(self, codes: NDArray[np.uint8], reference: int | None = None) -> None:
        self.codes = codes
        self.depth = codes.shape[1]
        self.reference = reference
        """A row whose final state must come before all others."""

    @property
    def untouched(self) -> int:
        """Blocks from the first on that all rows have whole, but for the reference: what they begin with."""
        others = np.delete(self.codes, self.reference, axis=0) if self.reference is not None else self.codes
        # Where nothing is changed, 0: there is no row that could begin later.
        return int((others != WHOLE).any(0).argmax())

    def branches(self, first: int, end: int, depth: int) -> list[Branch]:
        """Those of the node of rows `first` to `end` at `depth`, in the order they are walked."""
        if end - first == 1:
            return [Branch(int(self.codes[first, depth]), first, end)]
        column = self.codes[first:end, depth]
        cuts = [0, *(np.flatnonzero(np.diff(column)) + 1).tolist(), end - first]
        branches = [
            Branch(int(column[low]), first + low, first + high) for low, high in itertools.pairwise(cuts)
        ]
        return sorted(branches, key=self._order)

    def _order(self, branch: Branch) -> tuple[bool, int]:
        leads = self.reference is not None and branch.first <= self.reference < branch.end
        return not leads, branch.end - branch.first


@dataclass(frozen=True)
class WalkCost:
    evaluations: float
    """Distinct block evaluations, a sublayer alone counting as its share."""
    states: int
    """The most states of the residual stream that are kept at a time."""


def walk_cost(trie: Trie, cost: StepCost) -> WalkCost:
    """What `walk` will spend on one batch."""
    total, most = 0.0, 0
    waiting = [(0, len(trie.codes), 0)]
    while waiting:
        first, end, depth = waiting.pop()
        while depth < trie.depth:
            branches = trie.branches(first, end, depth)
            codes = [branch.code for branch in branches]
            total += cost.of(depth, codes)
            # What the step reads stands beside everything it gives; the replay keeps the first state.
            most = max(most, 1 + len(waiting) + 1 + len(branches))
            depth += 1
            waiting += [(branch.first, branch.end, depth) for branch in reversed(branches[1:])]
            first, end = branches[0].first, branches[0].end
    return WalkCost(total, most)


def walk(
    trie: Trie, stepper: Stepper, replay: Replay, spend: Spend, start: tuple[int, Tensor] | None = None
) -> Iterator[tuple[int, Tensor]]:
    """Each row with its final state (batch, sequence, hidden), as they come. `spend` hears of every step.
    `start`: a block below which no row loses anything, and the stream in front of it; None: the first."""
    begin, hidden = (0, replay.hidden) if start is None else start
    waiting: list[tuple[Tensor, int, int, int]] = [(hidden, 0, len(trie.codes), begin)]
    while waiting:
        x, first, end, depth = waiting.pop()
        while depth < trie.depth:
            branches = trie.branches(first, end, depth)
            codes = [branch.code for branch in branches]
            states = stepper.run(depth, x, codes, replay)
            spend(depth, codes)
            depth += 1
            for branch in reversed(branches[1:]):
                waiting.append((states.pop(branch.code), branch.first, branch.end, depth))
            x = states.pop(branches[0].code)
            first, end = branches[0].first, branches[0].end
        yield first, x
        del x  # or it would live on while the next branch is walked
