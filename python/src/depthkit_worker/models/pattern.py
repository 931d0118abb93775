"""Blocks of two kinds in a fixed order, as some software expects them, and removals that keep the order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedConfig

from depthkit_worker.models.families import Family
from depthkit_worker.models.families.family import Periodic


@dataclass(frozen=True)
class Pattern:
    """A model's kinds of blocks, and the order they have in its family."""

    kinds: tuple[str, ...]
    """One entry per block."""
    period: int
    """Every block whose number from 1 is a multiple of it is of the kind `last`, all others are not."""
    last: str
    software: tuple[str, ...]
    """What takes a block's kind from its number alone."""

    def is_last(self, block: int) -> bool:
        return self.kinds[block] == self.last

    def strays(self, kept: Sequence[int]) -> tuple[int, ...]:
        """The blocks of `kept`, by their old numbers, whose kind is not the one their new number has."""
        return tuple(
            old for new, old in enumerate(kept) if self.is_last(old) != _is_last_place(new, self.period)
        )

    def period_of(self, kept: Sequence[int]) -> int | None:
        """The period that `kept` have: the family's own where that fits, else the shortest; None where none
        does. Where no block of the `last` kind is left it is longer than the model is deep."""
        fitting = (
            period
            for period in (self.period, *range(1, len(kept) + 2))
            if all(self.is_last(old) == _is_last_place(new, period) for new, old in enumerate(kept))
        )
        return next(fitting, None)

    def nearest(self, removed: Sequence[int], count: int) -> list[tuple[int, ...]]:
        """Up to `count` removals that keep the order and differ least from `removed`: as many blocks where
        that is possible, else the nearest number of them. Fewest changes first, then lowest numbers."""
        depth, asked = len(self.kinds), len(set(removed))
        for change in range(depth):
            sizes = sorted({asked - change, asked + change}, reverse=True)
            found = [
                one for size in sizes if 0 <= size < depth for one in self._of_size(removed, size, count)
            ]
            if found:
                return found[:count]
        return []

    def _of_size(self, removed: Sequence[int], size: int, count: int) -> list[tuple[int, ...]]:
        """The best `count` of all removals of `size` blocks, block by block: of those that agree in how many
        blocks stayed so far, only the best can become the best."""
        asked = set(removed)
        best: dict[int, list[tuple[int, tuple[int, ...]]]] = {0: [(0, ())]}
        for block in range(len(self.kinds)):
            following: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
            for kept, entries in best.items():
                if self.is_last(block) == _is_last_place(kept, self.period):
                    stays = [(cost + (block in asked), gone) for cost, gone in entries]
                    following.setdefault(kept + 1, []).extend(stays)
                if block - kept < size:
                    goes = [(cost + (block not in asked), (*gone, block)) for cost, gone in entries]
                    following.setdefault(kept, []).extend(goes)
            best = {kept: sorted(entries)[:count] for kept, entries in following.items()}
        return [gone for _, gone in best.get(len(self.kinds) - size, [])]


def pattern_of(config: PreTrainedConfig, family: Family) -> Pattern | None:
    """The pattern of a model of `config`; None where all its blocks are of one kind by design."""
    periodic = family.periodic
    if periodic is None:
        return None
    names = dict(periodic.names)
    kinds = tuple(names[value] for value in getattr(config, periodic.key))
    return Pattern(kinds, periodic.period, periodic.names[-1][1], periodic.software)


def still_misled(pattern: Pattern, periodic: Periodic, kept: Sequence[int]) -> tuple[str, ...]:
    """The software that would take blocks of `kept` for another kind, once the configuration's period is that
    of `kept` wherever there is one."""
    if not pattern.strays(kept):
        return ()
    period = pattern.period_of(kept)
    if period is None or period > len(kept):
        return pattern.software
    return tuple(name for name in pattern.software if name not in periodic.reads_period_key)


def _is_last_place(index: int, period: int) -> bool:
    return (index + 1) % period == 0
