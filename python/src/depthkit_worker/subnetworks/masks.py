"""Which units each of many subnetworks keeps, and what that leaves of every block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.families import Family
from depthkit_worker.models.units import Parts, Unit, check_units
from depthkit_worker.repair.repair import BlockEdit, Repair, carriers, check_apart, check_repairs, edit_of

# What a block has lost, as the trie of subnetworks spells it: the values of `Parts`.
WHOLE, NO_ATTENTION, NO_FEED_FORWARD, NEITHER = 0, 1, 2, 3
FIRST_VARIANT = 4
"""From here on a code is a block's variant: what it has lost together with what a repair makes of it."""
MOST_VARIANTS = 256 - FIRST_VARIANT

_BIT = {"attention": NO_ATTENTION, "feed-forward": NO_FEED_FORWARD, "block": NEITHER}


@dataclass(frozen=True)
class Subnetworks:
    """Subnetworks of one decoder, over units the caller lists."""

    units: tuple[Unit, ...]
    """In the order of the columns of `kept`; kinds may be mixed."""
    kept: NDArray[np.bool_]
    """(subnetworks, units): True where the unit stays."""
    repairs: tuple[Repair, ...] = ()
    """In the order they were made."""
    repaired: NDArray[np.bool_] | None = None
    """(subnetworks, repairs): True where the repair is in place. None: wherever its units are removed, and
    what it works inside and was made on top of is there."""


@dataclass(frozen=True)
class Variant:
    """A block that a repair touches."""

    lost: int
    """One of the first four codes."""
    edit: BlockEdit


Variants = tuple[tuple[Variant, ...], ...]
"""Of each block, and of the head where a repair changes it; code c >= FIRST_VARIANT of block l is entry
c - FIRST_VARIANT of entry l. Empty where nothing is repaired."""


@dataclass(frozen=True)
class Coded:
    codes: NDArray[np.uint8]
    """(subnetworks, depth), and a column for the head where a repair changes it. Two rows are equal exactly
    where the two subnetworks compute the same."""
    variants: Variants = ()
    idle: tuple[Repair, ...] = ()
    """Repairs that were left to find their own places and found none."""


def unpack_masks(packed: NDArray[np.uint8], columns: int) -> NDArray[np.bool_]:
    """Bools (rows, columns) from bit masks (rows, ceil(columns / 8)): column c is bit c % 8 of byte c // 8,
    the lowest bit first."""
    width = -(-columns // 8)
    if packed.ndim != 2 or packed.shape[1] != width or packed.dtype != np.uint8:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Masks over {columns} columns are rows of {width} bytes; these are {packed.dtype} of shape "
            f"{list(packed.shape)}.",
            columns=columns,
            bytes=width,
        )
    bits = np.unpackbits(packed, axis=1, bitorder="little")
    if bits[:, columns:].any():
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"A mask over {columns} columns has a bit set beyond the last one. Leave the rest of the last "
            f"byte 0.",
            columns=columns,
        )
    return bits[:, :columns].astype(np.bool_)


def by_unit(
    players: Sequence[Sequence[Unit]], kept: NDArray[np.bool_]
) -> tuple[tuple[Unit, ...], NDArray[np.bool_]]:
    """The units of `players`, which stay or go together, and `kept` (subnetworks, players) with a column
    per unit."""
    units = tuple(unit for player in players for unit in player)
    return units, np.repeat(kept, [len(player) for player in players], axis=1)


def block_codes(subnetworks: Subnetworks, depth: int, family: Family) -> Coded:
    """What each subnetwork makes of each block, one code per block."""
    check_units(subnetworks.units, depth)
    _check_shape(subnetworks)
    head = any(depth in repair.edits for repair in subnetworks.repairs)
    codes = np.zeros((len(subnetworks.kept), depth + head), dtype=np.uint8)
    for column, unit in enumerate(subnetworks.units):
        codes[:, unit.index] |= np.where(subnetworks.kept[:, column], 0, _BIT[unit.kind]).astype(np.uint8)
    if not subnetworks.repairs:
        return Coded(codes)
    return _with_repairs(subnetworks, codes, depth, family)


def _with_repairs(subnetworks: Subnetworks, lost: NDArray[np.uint8], depth: int, family: Family) -> Coded:
    there = _fitting(subnetworks.repairs, lost, family)
    wanted = there if subnetworks.repaired is None else subnetworks.repaired
    codes = lost.copy()
    numbers: list[dict[tuple[int, tuple[int, ...]], int]] = [{} for _ in range(lost.shape[1])]
    variants: list[list[Variant]] = [[] for _ in range(lost.shape[1])]
    sets, set_of = np.unique(wanted, axis=0, return_inverse=True)
    for number, chosen in enumerate(sets):
        if not chosen.any():
            continue
        rows = np.flatnonzero(set_of.reshape(-1) == number)
        applied = [repair for repair, is_chosen in zip(subnetworks.repairs, chosen, strict=True) if is_chosen]
        # Where one does not fit, its row is named in the refusal; else any row stands for all.
        misfits = rows[~there[rows][:, chosen].all(1)]
        row = int(misfits[0] if len(misfits) else rows[0])
        check_repairs(applied, _removed(subnetworks, row), depth, family)
        check_apart(applied)
        for index in sorted({index for repair in applied for index in repair.edits}):
            touching = tuple(
                np.flatnonzero(
                    [
                        on and index in repair.edits
                        for on, repair in zip(chosen, subnetworks.repairs, strict=True)
                    ]
                ).tolist()
            )
            for code in np.unique(lost[rows, index]).tolist():
                edit = edit_of(applied, index, Parts(code), family)
                if edit.empty:
                    continue  # the plain code says it all
                key = (code, touching)
                if key not in numbers[index]:
                    numbers[index][key] = len(variants[index])
                    variants[index].append(Variant(code, edit))
                codes[rows[lost[rows, index] == code], index] = _variant_code(numbers[index][key], index)
    idle: tuple[Repair, ...] = ()
    if subnetworks.repaired is None:
        idle = tuple(
            repair for number, repair in enumerate(subnetworks.repairs) if not there[:, number].any()
        )
    return Coded(codes, tuple(tuple(of_block) for of_block in variants), idle)


def _fitting(repairs: Sequence[Repair], lost: NDArray[np.uint8], family: Family) -> NDArray[np.bool_]:
    """(subnetworks, repairs): whether all units that a repair makes up for are removed, and what it works
    inside and was made on top of is there."""
    there = np.ones((len(lost), len(repairs)), dtype=np.bool_)
    columns = {repair.digest: column for column, repair in enumerate(repairs)}
    for column, repair in enumerate(repairs):
        for unit in repair.removed:
            bit = _BIT[unit.kind]
            there[:, column] &= (lost[:, unit.index] & bit) == bit
        for index, parts in carriers(repair, family).items():
            there[:, column] &= (lost[:, index] & parts.value) == 0
        for digest in repair.base:
            if digest in columns:
                there[:, column] &= there[:, columns[digest]]
    return there


def _removed(subnetworks: Subnetworks, row: int) -> list[Unit]:
    return [unit for unit, kept in zip(subnetworks.units, subnetworks.kept[row], strict=True) if not kept]


def _variant_code(number: int, index: int) -> int:
    if number >= MOST_VARIANTS:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"More than {MOST_VARIANTS} different repairs of block {index} were asked for in one evaluation. "
            "Evaluate the subnetworks in several calls.",
            block=index,
            most=MOST_VARIANTS,
        )
    return FIRST_VARIANT + number


def _check_shape(subnetworks: Subnetworks) -> None:
    kept, units = subnetworks.kept, subnetworks.units
    if kept.ndim != 2 or kept.shape[1] != len(units) or len(kept) == 0:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Subnetworks over {len(units)} units are rows of {len(units)} values, at least one row; the "
            f"array has shape {list(kept.shape)}.",
            shape=list(kept.shape),
            units=[str(unit) for unit in units],
        )
    repairs, repaired = subnetworks.repairs, subnetworks.repaired
    if repaired is not None and repaired.shape != (len(kept), len(repairs)):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"{len(kept)} subnetworks and {len(repairs)} repairs need {len(kept)} rows of {len(repairs)} "
            f"values that say which repair is in place; the array has shape {list(repaired.shape)}.",
            shape=list(repaired.shape),
        )
