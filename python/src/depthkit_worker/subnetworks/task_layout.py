"""How the prompts and choices of a task lie in rows of tokens.

A row is a tree of segments, one behind the other: each goes on from where its parent ends and sees its
ancestors and itself. What several sequences begin with is there once: the prompt that an item's choices
share, and the few-shot examples that several items share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from depthkit_worker.data.tasks import Item
from depthkit_worker.data.tokens import Ids, agreed
from depthkit_worker.models.decoder import Branching

Places = NDArray[np.int64]
WIDEST = 3
"""Items go into one row while it is at most so many times as long as what they share. A longer row shares
among more items, and its attention costs more; on SmolLM2-135M 3 is about where the two meet."""
MOST_TOKENS = 4096
"""Of a row that items share: the mask over it is a square."""


@dataclass(frozen=True)
class Segment:
    ids: Ids
    behind: tuple[int, ...]
    """Its ancestors, from the row's start on: numbers of segments in the same row."""


@dataclass(frozen=True)
class Row:
    segments: tuple[Segment, ...]

    @property
    def width(self) -> int:
        return self._starts[-1]

    @property
    def branches(self) -> bool:
        """Whether this is anything but one sequence after another."""
        return any(segment.behind != tuple(range(place)) for place, segment in enumerate(self.segments))

    @property
    def ids(self) -> Ids:
        return np.concatenate([segment.ids for segment in self.segments])

    def places(self, path: Sequence[int]) -> Places:
        """Where the tokens of the sequence that `path` spells lie in the row."""
        parts = [np.arange(self._starts[number], self._starts[number + 1]) for number in path]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)

    def positions(self) -> Places:
        """(width,): of each token, how many tokens of its sequence are before it."""
        lengths = [len(segment.ids) for segment in self.segments]
        befores = (sum(lengths[number] for number in segment.behind) for segment in self.segments)
        return np.concatenate(
            [
                before + np.arange(length, dtype=np.int64)
                for before, length in zip(befores, lengths, strict=True)
            ]
        )

    def owners(self) -> Places:
        """(width,): of each token, its segment."""
        return np.repeat(np.arange(len(self.segments)), [len(segment.ids) for segment in self.segments])

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *np.cumsum([len(segment.ids) for segment in self.segments]).tolist()]


@dataclass(frozen=True)
class Home:
    """Where the tokens that are read for one choice lie."""

    row: int
    path: tuple[int, ...]
    """The row's segments that spell them."""


@dataclass(frozen=True)
class Layout:
    """Items in rows."""

    rows: tuple[Row, ...]
    homes: tuple[tuple[Home, ...], ...]
    """Of each item, of each choice."""

    @property
    def width(self) -> int:
        return max(row.width for row in self.rows)


class _Tree:
    def __init__(self) -> None:
        self._segments: list[Segment] = []

    def add(self, ids: Ids, behind: tuple[int, ...] = ()) -> tuple[int, ...]:
        """The path to a new segment of `ids`; where there are none, to what is before it."""
        if len(ids) == 0:
            return behind
        self._segments.append(Segment(ids, behind))
        return (*behind, len(self._segments) - 1)

    def row(self) -> Row:
        return Row(tuple(self._segments))


def lay_out(items: Sequence[Item]) -> Layout:
    """`items` in one row, behind what their prompts have in common."""
    tree = _Tree()
    shared = min((agreed(items[0].trunk, item.trunk) for item in items[1:]), default=len(items[0].trunk))
    front = tree.add(items[0].trunk[:shared])
    homes = []
    for item in items:
        prompt = tree.add(item.trunk[shared:], front)
        paths = {read: tree.add(ids, prompt) for read, ids in _distinct_reads(item).items()}
        homes.append(tuple(Home(0, paths.get(_read(tail).tobytes(), prompt)) for tail in item.tails))
    return Layout((tree.row(),), tuple(homes))


def lay_out_apart(item: Item) -> Layout:
    """Every continuation of `item` in a row of its own."""
    rows: list[Row] = []
    home_of: dict[bytes, Home] = {}
    for read, ids in _distinct_reads(item).items() or [(b"", item.trunk[:0])]:
        tree = _Tree()
        path = tree.add(ids, tree.add(item.trunk))
        home_of[read] = Home(len(rows), path)
        rows.append(tree.row())
    # Choices of one token are read at the prompt's end, which every row has.
    prompt = Home(0, (0,) if len(item.trunk) else ())
    return Layout(tuple(rows), (tuple(home_of.get(_read(tail).tobytes(), prompt) for tail in item.tails),))


def sharing_a_row(items: Sequence[Item], may_share: Sequence[bool]) -> list[tuple[int, ...]]:
    """Which of `items` go into rows together, as numbers in ascending order: those whose prompts begin alike
    for at least half their length, such as questions behind the same examples, `WIDEST` permitting."""
    found: list[list[int]] = []
    shared = total = widest = 0
    sharing = (number for number in range(len(items)) if may_share[number])
    for number in sorted(sharing, key=lambda number: _sortable(items[number].trunk)):
        item = items[number]
        width = len(item.trunk) + sum(map(len, _distinct_reads(item).values()))
        if found:
            # Sorted: what the last one agrees with is what all before it agree with, up to `shared`.
            common = min(shared, agreed(items[found[-1][-1]].trunk, item.trunk))
            together = common + total + width - (len(found[-1]) + 1) * common
            if 2 * common >= max(widest, width) and together <= min(WIDEST * common, MOST_TOKENS):
                found[-1].append(number)
                shared, total, widest = common, total + width, max(widest, width)
                continue
        found.append([number])
        shared, total, widest = len(item.trunk), width, width
    alone = ((number,) for number in range(len(items)) if not may_share[number])
    return [*(tuple(sorted(sharers)) for sharers in found), *alone]


def branching(rows: Sequence[Row], width: int) -> Branching:
    """Positions and mask of `rows`, padded at their ends to `width`. Pads see what stands before them:
    nothing sees pads."""
    positions = np.zeros((len(rows), width), dtype=np.int64)
    sees = np.zeros((len(rows), width, width), dtype=np.bool_)
    for number, row in enumerate(rows):
        positions[number, : row.width] = row.positions()
        related = np.eye(len(row.segments), dtype=np.bool_)
        for place, segment in enumerate(row.segments):
            related[place, list(segment.behind)] = True
        owners = row.owners()
        sees[number, : row.width, : row.width] = related[np.ix_(owners, owners)]
        sees[number, row.width :] = True
    sees &= np.tri(width, dtype=np.bool_)
    return Branching(torch.from_numpy(positions), torch.from_numpy(sees))


def _read(tail: Ids) -> Ids:
    """What the model reads of a choice: the last token is only predicted."""
    return tail[:-1]


def _distinct_reads(item: Item) -> dict[bytes, Ids]:
    """What several choices read alike is there once."""
    return {read.tobytes(): read for read in map(_read, item.tails) if len(read)}


def _sortable(ids: Ids) -> bytes:
    """Sorts as the token ids do, and so next to each other what begins alike."""
    return ids.astype(">u4").tobytes()
