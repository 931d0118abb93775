"""A task's items as rows of tokens.

The choices of an item share their prompt. A row holds it once, with every continuation behind it: each
continuation sees the prompt and itself, at the positions it would have by itself. The last token of a
choice is only predicted, so choices of one token need no tokens beyond the prompt, and the row is then a
plain sequence. Where a model cannot have several continuations in a row (`Decoder.can_branch`), each has
a row of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from depthkit_worker.data.corpus import PAD
from depthkit_worker.data.tasks import Item, Task
from depthkit_worker.data.tokens import Ids
from depthkit_worker.models.decoder import Branching, Decoder
from depthkit_worker.subnetworks.choice_measures import accuracy_sum, choice_loss
from depthkit_worker.subnetworks.positions import Measure, ScoredPositions
from depthkit_worker.subnetworks.scorable import Rows

Places = NDArray[np.int64]
CHOICE_MEASURES: tuple[Measure, ...] = ("accuracy", "choice-loss")
LAST_WORD_MEASURES: tuple[Measure, ...] = ("accuracy", "loss")


@dataclass(frozen=True)
class Layout:
    """How one item lies in rows."""

    rows: tuple[tuple[Ids, ...], ...]
    """Of each row, the trunk and the branches behind it."""
    homes: tuple[tuple[int, int], ...]
    """Of each choice, its row and where its branch begins there."""

    @property
    def width(self) -> int:
        return max(sum(map(len, row)) for row in self.rows)


def lay_out(item: Item, together: bool) -> Layout:
    """`together`: all continuations in one row, where there is more than one to read."""
    reads = [tail[:-1] for tail in item.tails]
    # What several choices read alike is there once.
    branches = list({read.tobytes(): read for read in reads if len(read)}.values())
    groups = [branches] if together or len(branches) <= 1 else [[branch] for branch in branches]
    home: dict[bytes, tuple[int, int]] = {}
    for row, group in enumerate(groups):
        starts = np.cumsum([len(item.trunk), *map(len, group)]).tolist()
        home |= {branch.tobytes(): (row, start) for branch, start in zip(group, starts[:-1], strict=True)}
    rows = tuple((item.trunk, *group) for group in groups)
    return Layout(rows, tuple(home.get(read.tobytes(), (0, len(item.trunk))) for read in reads))


@dataclass(frozen=True)
class ScoredChoices:
    """The targets of a batch of items: see `ScoredRows`."""

    rows: Tensor
    targets: Tensor
    picks: Tensor
    choice_of: NDArray[np.int64]
    """(targets,): which choice of the batch, counted through, each target belongs to."""
    items: tuple[Item, ...]
    measures: tuple[Measure, ...]
    last_word: bool
    each: bool
    """Give every choice's numbers and not their sums."""

    @property
    def quantities(self) -> frozenset[str]:
        return frozenset({"loss", "greedy"} if self.last_word else {"loss"})

    @property
    def counts(self) -> NDArray[np.int64]:
        counts = {"loss": len(self.targets)}
        return np.array([counts.get(measure, len(self.items)) for measure in self.measures], dtype=np.int64)

    def sums(self, values: Mapping[str, Tensor]) -> NDArray[np.float64]:
        """(measures,); or, of each choice, (2, choices): its log-likelihood and whether every token of it
        is the likeliest (NaN where that was not read)."""
        ends = np.cumsum([len(item.tails) for item in self.items])
        losses, size = values["loss"].numpy(), int(ends[-1])
        scores: NDArray[np.float64] = -np.bincount(self.choice_of, losses, size).astype(np.float64)
        greedy = np.full(size, np.nan)
        if self.last_word:
            greedy = (np.bincount(self.choice_of, 1 - values["greedy"].numpy(), size) == 0).astype(np.float64)
        if self.each:
            return np.stack([scores, greedy])
        if self.last_word:
            right = float("nan") if np.isnan(losses).any() else greedy.sum()
            found = {"accuracy": right, "loss": losses.sum()}
        else:
            by_item = np.split(scores, ends[:-1])
            answers = [item.answer for item in self.items]
            found = {
                "accuracy": accuracy_sum(by_item, answers),
                "choice-loss": sum(map(choice_loss, by_item, answers)),
            }
        return np.array([found[measure] for measure in self.measures])


class TaskRows:
    """A task for one decoder. Its sequences are items, the longest first: what does not fit into memory
    shows at once, and neighbours are of like length."""

    has_positions = False

    def __init__(self, task: Task, decoder: Decoder, *, each: bool = False) -> None:
        self._task = task
        self._each = each
        self._together = [decoder.can_branch(item.longest) for item in task.items]
        self.what = f"a {task.kind} task"
        self.measures = LAST_WORD_MEASURES if task.kind == "last-word" else CHOICE_MEASURES
        self.order: tuple[int, ...] = tuple(sorted(range(len(task.items)), key=lambda n: -self._layouts[n].width))
        """Which item of the task each sequence is."""

    @cached_property
    def _layouts(self) -> list[Layout]:
        return [lay_out(item, together) for item, together in zip(self._task.items, self._together, strict=True)]

    @property
    def sequences(self) -> int:
        return len(self.order)

    @property
    def longest(self) -> int:
        return self._layouts[self.order[0]].width

    def shares(self, size: int | None, fitting: Callable[[int], int]) -> list[tuple[int, int]]:
        if size is not None:
            return [(first, min(first + size, self.sequences)) for first in range(0, self.sequences, size)]
        cuts, rows, room = [0], 0, 0
        for place, number in enumerate(self.order):
            layout = self._layouts[number]
            if place == cuts[-1]:
                room = fitting(layout.width)
            elif rows + len(layout.rows) > room:
                cuts.append(place)
                rows, room = 0, fitting(layout.width)
            rows += len(layout.rows)
        return list(itertools.pairwise([*cuts, self.sequences]))

    def scored_share(self, positions: ScoredPositions) -> float:
        tokens = sum(sum(map(len, row)) for layout in self._layouts for row in layout.rows)
        # Targets at the prompt's end share a position.
        scored = sum(1 + sum(item.scored) - len(item.scored) for item in self._task.items)
        return min(1.0, scored / tokens)

    def batch(self, first: int, end: int, positions: ScoredPositions, measures: Sequence[Measure]) -> Rows:
        numbers = self.order[first:end]
        items = tuple(self._task.items[number] for number in numbers)
        layouts = [self._layouts[number] for number in numbers]
        rows = [row for layout in layouts for row in layout.rows]
        width = max(layout.width for layout in layouts)
        ids = np.full((len(rows), width), PAD, dtype=np.int64)
        for place, row in enumerate(rows):
            joined = np.concatenate(row)
            ids[place, : len(joined)] = joined
        branching = _branching(rows, width) if any(len(row) > 2 for row in rows) else None
        return Rows(torch.from_numpy(ids), self._scored(items, layouts, width, measures), branching)

    def _scored(
        self, items: tuple[Item, ...], layouts: Sequence[Layout], width: int, measures: Sequence[Measure]
    ) -> ScoredChoices:
        places: list[Places] = []
        targets: list[Ids] = []
        base = 0
        for item, layout in zip(items, layouts, strict=True):
            for choice, (row, start) in enumerate(layout.homes):
                at, target = _targets(item, choice, start)
                places.append((base + row) * width + at)
                targets.append(target)
            base += len(layout.rows)
        rows, picks = np.unique(np.concatenate(places), return_inverse=True)
        return ScoredChoices(
            rows=torch.from_numpy(rows),
            targets=torch.from_numpy(np.concatenate(targets).astype(np.int64)),
            picks=torch.from_numpy(picks.reshape(-1)),
            choice_of=np.repeat(np.arange(len(places)), list(map(len, places))),
            items=items,
            measures=tuple(measures),
            last_word=self._task.kind == "last-word",
            each=self._each,
        )


def _targets(item: Item, choice: int, start: int) -> tuple[Places, Ids]:
    """Where in its row each scored token of a choice is predicted, and the tokens. Its branch is at `start`."""
    ids, trunk = item.sequence(choice), len(item.trunk)
    before = np.arange(len(ids) - item.scored[choice], len(ids)) - 1
    return np.where(before < trunk, before, before - trunk + start), ids[before + 1]


def _branching(rows: Sequence[tuple[Ids, ...]], width: int) -> Branching:
    """Positions and mask of rows made of a trunk and branches. Pads see what stands before them: nothing
    sees pads."""
    positions = np.zeros((len(rows), width), dtype=np.int64)
    branch_of = np.zeros((len(rows), width), dtype=np.int64)
    for row, (trunk, *branches) in enumerate(rows):
        positions[row, : len(trunk)] = np.arange(len(trunk))
        at = len(trunk)
        for number, branch in enumerate(branches, start=1):
            positions[row, at : at + len(branch)] = len(trunk) + np.arange(len(branch))
            branch_of[row, at : at + len(branch)] = number
            at += len(branch)
        branch_of[row, at:] = len(branches) + 1
    of = torch.from_numpy(branch_of)
    sees = ((of[:, None, :] == 0) | (of[:, None, :] == of[:, :, None])) & torch.ones(width, width).tril().bool()
    return Branching(torch.from_numpy(positions), sees)
