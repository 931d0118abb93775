"""Which units each of many subnetworks keeps, and what that leaves of every block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.units import Unit, check_units

Repair = Callable[[Tensor], Tensor]
"""What takes a removed unit's place: the residual stream before it to the one behind it, both
(batch, sequence, hidden). Identity is no repair."""

# What a block has lost, as the trie of subnetworks spells it. The first four are the values of `Parts`.
WHOLE, NO_ATTENTION, NO_FEED_FORWARD, NEITHER = 0, 1, 2, 3
NO_BLOCK = 4
"""The block went as one unit. Told apart from `NEITHER` only where repairs make the two differ."""

_BIT = {"attention": NO_ATTENTION, "feed-forward": NO_FEED_FORWARD, "block": NO_BLOCK}


@dataclass(frozen=True)
class Subnetworks:
    """Subnetworks of one decoder, over units the caller lists."""

    units: tuple[Unit, ...]
    """In the order of the columns of `kept`; kinds may be mixed."""
    kept: NDArray[np.bool_]
    """(subnetworks, units): True where the unit stays."""
    repairs: Mapping[Unit, Repair] = field(default_factory=dict)
    """In place of these units wherever they are removed. A block removed as one unit takes the block's
    repair; one that lost both sublayers takes the attention's, then the feed-forward's."""


def unpack_masks(packed: NDArray[np.uint8], units: int) -> NDArray[np.bool_]:
    """`kept` (subnetworks, units) from bit masks (subnetworks, ceil(units / 8)): unit u is bit u % 8 of
    byte u // 8, the lowest bit first."""
    width = -(-units // 8)
    if packed.ndim != 2 or packed.shape[1] != width or packed.dtype != np.uint8:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Masks over {units} units are rows of {width} bytes; these are {packed.dtype} of shape "
            f"{list(packed.shape)}.",
            units=units,
            bytes=width,
        )
    bits = np.unpackbits(packed, axis=1, bitorder="little")
    if bits[:, units:].any():
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"A mask over {units} units has a bit set beyond the last unit. Leave the rest of the last byte 0.",
            units=units,
        )
    return bits[:, :units].astype(np.bool_)


def pack_masks(kept: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The inverse of `unpack_masks`."""
    return np.packbits(kept, axis=1, bitorder="little")


def block_codes(subnetworks: Subnetworks, depth: int) -> NDArray[np.uint8]:
    """What each subnetwork leaves of each block, (subnetworks, depth), one code a block.

    Two rows are equal exactly where the two subnetworks compute the same.
    """
    check_units(subnetworks.units, depth)
    check_units(subnetworks.repairs, depth)
    _check_shape(subnetworks)
    codes = np.zeros((len(subnetworks.kept), depth), dtype=np.uint8)
    for column, unit in enumerate(subnetworks.units):
        codes[:, unit.index] |= np.where(subnetworks.kept[:, column], 0, _BIT[unit.kind]).astype(np.uint8)
    repaired = {unit.index for unit in subnetworks.repairs}
    for index in range(depth):
        as_block = codes[:, index] >= NO_BLOCK
        codes[as_block, index] = NO_BLOCK if index in repaired else NEITHER
    return codes


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


def one_removed(units: Sequence[Unit]) -> Subnetworks:
    """Each of `units` removed alone, in their order."""
    return Subnetworks(tuple(units), ~np.eye(len(units), dtype=np.bool_))
