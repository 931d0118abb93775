"""The removable parts of a decoder: blocks and their two sublayers."""

from __future__ import annotations

import enum
import functools
import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from depthkit_worker.contract.wire import UnitKind
from depthkit_worker.errors import DepthkitError

UNIT_KINDS: tuple[UnitKind, ...] = get_args(UnitKind)

_NAME = re.compile(r"(block|attention|feed-forward)\.(0|[1-9][0-9]{0,5})", re.ASCII)


@functools.total_ordering
@dataclass(frozen=True)
class Unit:
    """A part that can be removed, by its kind and its block's number from 0.

    Units sort from the bottom of the model upwards, and in a block as `UNIT_KINDS` lists them.
    """

    kind: UnitKind
    index: int

    @classmethod
    def parse(cls, name: str) -> Unit:
        """The unit called `name`, such as `attention.7`."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise DepthkitError(
                "INVALID_ARGUMENT",
                f"Unit {name!r} is not a unit's name. A name is a kind ({', '.join(UNIT_KINDS)}), a dot "
                "and a block number from 0, such as attention.7.",
                value=name,
                allowed=[f"{kind}.N" for kind in UNIT_KINDS],
            )
        kind = next(kind for kind in UNIT_KINDS if kind == match[1])
        return cls(kind, int(match[2]))

    def __str__(self) -> str:
        return f"{self.kind}.{self.index}"

    def __lt__(self, other: Unit) -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[int, int]:
        return self.index, UNIT_KINDS.index(self.kind)


class Parts(enum.Flag):
    """Sublayers of one block. The removed parts of a block say all there is to say about its state."""

    NONE = 0
    ATTENTION = 1
    FEED_FORWARD = 2
    BOTH = ATTENTION | FEED_FORWARD


_PARTS: dict[UnitKind, Parts] = {
    "block": Parts.BOTH,
    "attention": Parts.ATTENTION,
    "feed-forward": Parts.FEED_FORWARD,
}


def check_units(units: Iterable[Unit], depth: int) -> tuple[Unit, ...]:
    """`units` in order, when all of them exist in a model of `depth` blocks and none is named twice."""
    ordered = tuple(sorted(units))
    outside = [unit for unit in ordered if not 0 <= unit.index < depth]
    if outside:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"There is no {_listed(outside)} in this model of {depth} blocks. Block numbers go from 0 to "
            f"{depth - 1}.",
            units=[str(unit) for unit in outside],
            depth=depth,
        )
    repeated = [unit for unit, following in itertools.pairwise(ordered) if unit == following]
    if repeated:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"{_listed(repeated)} is named more than once. Name each unit once.",
            units=[str(unit) for unit in repeated],
        )
    return ordered


def removed_parts(units: Iterable[Unit], depth: int) -> tuple[Parts, ...]:
    """What each of the `depth` blocks loses when `units` are removed."""
    parts = [Parts.NONE] * depth
    for unit in check_units(units, depth):
        parts[unit.index] |= _PARTS[unit.kind]
    return tuple(parts)


def units_of(parts: Iterable[Parts]) -> tuple[Unit, ...]:
    """The fewest units that name the removed `parts`, one entry per block."""
    kinds: dict[Parts, UnitKind] = {part: kind for kind, part in _PARTS.items()}
    return tuple(Unit(kinds[part], index) for index, part in enumerate(parts) if part)


def normalise(units: Iterable[Unit], depth: int) -> tuple[Unit, ...]:
    """The same removal in its shortest form: both sublayers of a block are the block.

    Two lists of units remove the same parts exactly where their normal forms are equal, so this is
    the key to compare or cache by.
    """
    return units_of(removed_parts(units, depth))


def _listed(units: list[Unit]) -> str:
    return ", ".join(str(unit) for unit in units)
