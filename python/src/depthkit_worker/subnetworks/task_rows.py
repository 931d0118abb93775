"""A task's items as batches of rows, and what is read there as scores.

The last token of a choice is only predicted, so choices of one token need no tokens beyond the prompt.
Where a model cannot have several continuations in a row (`Decoder.can_branch`), each has a row of its own.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from depthkit_worker.contract.wire import Measure, ScoredPositions
from depthkit_worker.data.corpus import PAD
from depthkit_worker.data.tasks import Item, Task
from depthkit_worker.data.tokens import Ids
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.subnetworks.choice_measures import accuracy_sum, choice_loss
from depthkit_worker.subnetworks.scorable import Rows
from depthkit_worker.subnetworks.task_layout import (
    Layout,
    Places,
    branching,
    lay_out,
    lay_out_apart,
    sharing_a_row,
)

CHOICE_MEASURES: tuple[Measure, ...] = ("accuracy", "choice-loss")
LAST_WORD_MEASURES: tuple[Measure, ...] = ("accuracy", "loss")


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
    numbers: NDArray[np.int64]
    """(items,): their places in the task."""

    @property
    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        item_of_choice = np.repeat(self.numbers, [len(item.tails) for item in self.items])
        # A choice's targets stand together.
        starts = np.searchsorted(self.choice_of, self.choice_of)
        return item_of_choice[self.choice_of], np.arange(len(self.choice_of)) - starts

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
        scores, greedy = self._by_choice(values)
        if self.each:
            return np.stack([scores, greedy])
        if self.last_word:
            losses = values["loss"].numpy()
            right = float("nan") if np.isnan(losses).any() else greedy.sum()
            found = {"accuracy": right, "loss": losses.sum()}
        else:
            by_item, answers = self._by_item(scores)
            found = {
                "accuracy": accuracy_sum(by_item, answers),
                "choice-loss": sum(map(choice_loss, by_item, answers)),
            }
        return np.array([found[measure] for measure in self.measures])

    def by_sequence(self, values: Mapping[str, Tensor]) -> NDArray[np.float64]:
        """(items, measures): of each item whether it is right, 1 or 0, and its own mean loss."""
        scores, greedy = self._by_choice(values)
        if self.last_word:
            # One choice per item, the target, so that what is counted by choice is counted by item.
            found = {
                "accuracy": np.where(np.isnan(scores), np.nan, greedy),
                "loss": -scores / np.bincount(self.choice_of),
            }
        else:
            by_item, answers = self._by_item(scores)
            pairs = list(zip(by_item, answers, strict=True))
            found = {
                "accuracy": np.array([accuracy_sum([one], [answer]) for one, answer in pairs]),
                "choice-loss": np.array([choice_loss(one, answer) for one, answer in pairs]),
            }
        return np.stack([found[measure] for measure in self.measures], axis=1)

    def _by_choice(self, values: Mapping[str, Tensor]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(choices,) each: log-likelihoods, and whether every token is the likeliest, NaN where not read."""
        losses, size = values["loss"].numpy(), int(self.choice_of[-1]) + 1
        scores: NDArray[np.float64] = -np.bincount(self.choice_of, losses, size).astype(np.float64)
        greedy = np.full(size, np.nan)
        if self.last_word:
            greedy = (np.bincount(self.choice_of, 1 - values["greedy"].numpy(), size) == 0).astype(np.float64)
        return scores, greedy

    def _by_item(self, scores: NDArray[np.float64]) -> tuple[list[NDArray[np.float64]], list[int]]:
        """Each item's log-likelihoods, and its right choice."""
        ends = np.cumsum([len(item.tails) for item in self.items])
        return np.split(scores, ends[:-1]), [item.answer for item in self.items]


class TaskRows:
    """A task for one decoder. Its sequences are items, those with the longest rows first: what does not fit
    into memory shows at once, and neighbours are of like length. Items that can share what their prompts
    begin with are neighbours too, and lie in one row wherever one batch has them."""

    has_positions = False

    def __init__(self, task: Task, decoder: Decoder, *, each: bool = False) -> None:
        self._task = task
        self._each = each
        self._together = [decoder.can_branch(item.longest) for item in task.items]
        self.what = f"a {task.kind} task"
        self.measures = LAST_WORD_MEASURES if task.kind == "last-word" else CHOICE_MEASURES
        found = {sharers: self._lay_out(sharers) for sharers in sharing_a_row(task.items, self._together)}
        ranked = sorted(found.items(), key=lambda entry: (-entry[1].width, entry[0]))
        self._layouts = [layout for _, layout in ranked]
        self.sharers = [sharers for sharers, _ in ranked]
        """Items that lie in one row where one batch has them, as their numbers in the task."""
        self.order: tuple[int, ...] = tuple(itertools.chain.from_iterable(self.sharers))
        """Which item of the task each sequence is."""
        self._starts = list(itertools.accumulate((len(layout.homes) for layout in self._layouts), initial=0))

    @property
    def sequences(self) -> int:
        return len(self.order)

    @property
    def longest(self) -> int:
        return self._layouts[0].width

    @property
    def widths(self) -> list[int]:
        """Tokens of each of `sharers`."""
        return [sum(row.width for row in layout.rows) for layout in self._layouts]

    def shares(self, size: int | None, fitting: Callable[[int], int]) -> list[tuple[int, int]]:
        """Items that share a row count as one towards `size`."""
        cuts, taken, room = [0], 0, 0
        for layout in self._layouts:
            takes = len(layout.rows) if size is None else 1
            if len(cuts) == 1 or taken + takes > room:
                cuts.append(cuts[-1])
                taken, room = 0, fitting(layout.width) if size is None else size
            taken += takes
            cuts[-1] += len(layout.homes)
        return list(itertools.pairwise(cuts))

    def scored_share(self, positions: ScoredPositions) -> float:
        tokens = sum(row.width for layout in self._layouts for row in layout.rows)
        # Targets at the prompt's end share a position.
        scored = sum(1 + sum(item.scored) - len(item.scored) for item in self._task.items)
        return min(1.0, scored / tokens)

    def batch(self, first: int, end: int, positions: ScoredPositions, measures: Sequence[Measure]) -> Rows:
        layouts = self._layouts_of(first, end)
        rows = [row for layout in layouts for row in layout.rows]
        width = max(row.width for row in rows)
        ids = np.full((len(rows), width), PAD, dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : row.width] = row.ids
        mask = branching(rows, width) if any(row.branches for row in rows) else None
        scored = self._scored(self.order[first:end], layouts, width, measures)
        counted = np.arange(width) < np.array([[row.width] for row in rows])
        return Rows(torch.from_numpy(ids), scored, mask, torch.from_numpy(counted))

    def _layouts_of(self, first: int, end: int) -> list[Layout]:
        """Of the sequences `first` to `end`: where these are half a batch, of some of the items of a row."""
        found = []
        for number in range(bisect_right(self._starts, first) - 1, bisect_left(self._starts, end)):
            start, stop = max(self._starts[number], first), min(self._starts[number + 1], end)
            layout = self._layouts[number]
            found.append(
                layout if stop - start == len(layout.homes) else self._lay_out(self.order[start:stop])
            )
        return found

    def _lay_out(self, numbers: Sequence[int]) -> Layout:
        items = [self._task.items[number] for number in numbers]
        return lay_out(items) if self._together[numbers[0]] else lay_out_apart(items[0])

    def _scored(
        self, numbers: tuple[int, ...], layouts: Sequence[Layout], width: int, measures: Sequence[Measure]
    ) -> ScoredChoices:
        items = tuple(self._task.items[number] for number in numbers)
        bases = itertools.accumulate((len(layout.rows) for layout in layouts), initial=0)
        homes = [
            [(base + home.row, layout.rows[home.row].places(home.path)) for home in of_item]
            for base, layout in zip(bases, layouts, strict=False)
            for of_item in layout.homes
        ]
        places: list[Places] = []
        targets: list[Ids] = []
        for item, of_item in zip(items, homes, strict=True):
            for choice, (row, at) in enumerate(of_item):
                ids = item.sequence(choice)
                before = np.arange(len(ids) - item.scored[choice], len(ids)) - 1
                places.append(row * width + at[before])
                targets.append(ids[before + 1])
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
            numbers=np.array(numbers, dtype=np.int64),
        )
