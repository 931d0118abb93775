"""The head on a GPU as one kernel: a tile of logits is multiplied, read for every quantity, and gone.

A program of it (`head_triton.py`) has a tile of rows by columns of the vocabulary. It multiplies, rounds,
scales and caps as the model does, and keeps a few sums of each of its rows. fp32 numbers are cut into three
bf16 numbers, and their product is six products of those, the smallest first: the tensor cores at full rate,
and what is left out is below 2^-24 of the factors.

Imported only where there is a CUDA device: Triton comes with torch's builds for CUDA.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from depthkit_worker.subnetworks.head import TOLERANCE, Head, LogitChanges
from depthkit_worker.subnetworks.head_sums import Sums, divergence
from depthkit_worker.subnetworks.head_triton import tile_sums as kernel

PIECES = 3
"""bf16 numbers of 8 bits that hold an fp32 number's 24."""
ROWS, COLUMNS, STEP = 128, 128, 64
"""A program's tile, and how much of the hidden size it multiplies at a time."""
COMPARED_COLUMNS = 64
"""Of a tile where the dense model's logits stay in registers beside a subnetwork's."""
NEIGHBOURS = 8
"""Tiles of rows that run side by side on the same columns, whose weights then come from the L2 cache."""
WARPS, STAGES = 8, 3
MOST_BYTES = 256 << 20
"""Of sums at a time."""
PROBED_ROWS = 15


class HeadKernel:
    """The sums of tiles of logits under one head, of every subnetwork's normed states."""

    def __init__(self, head: Head) -> None:
        self._head = head
        self._weight = pieces_of(head.weight)

    @classmethod
    def checked(cls, head: Head) -> HeadKernel | str:
        """The kernel, or why it is of no use: it does not run on this GPU, or gives other sums than torch."""
        numbers = torch.arange(2 * PROBED_ROWS * head.weight.shape[1], device=head.device)
        states = (numbers % 31 - 15).div(15).view(2, PROBED_ROWS, -1).to(head.weight.dtype)
        targets = numbers[:PROBED_ROWS] % head.vocabulary
        try:
            kernel = cls(head)
            (alone,) = kernel.sums(states[1:], targets, compare=False)
            dense, compared = kernel.sums(states, targets, compare=True)
            log_sum = compared.log_sum()
            got = torch.stack([alone.log_sum(), log_sum, divergence(compared, dense, log_sum)])
        except Exception as error:  # of Triton's compiler, of the driver
            return f"the kernel of the output head does not run here: {type(error).__name__}: {error}"
        z, y = (
            torch.cat([head.logits(state, tile) for tile in head.tiles(PROBED_ROWS)], dim=1).double()
            for state in states
        )
        of_y = y.logsumexp(1)
        kl = (z.softmax(1) * (z - y)).sum(1) - z.logsumexp(1) + of_y
        off = float((got - torch.stack([of_y, of_y, kl])).abs().max() / of_y.abs().max().clamp_min(1.0))
        # Weights that are broken give broken sums both ways, which whoever measures them will say.
        if off > max(TOLERANCE, 4 * torch.finfo(head.weight.dtype).eps):
            return f"the kernel of the output head is {off:.1e} off here"
        return kernel

    def shares(self, rows: int, states: int) -> Iterator[slice]:
        """`rows` rows of `states` states, cut so that their sums fit `MOST_BYTES`."""
        # Four fp32 sums a tile and state, where they are compared.
        of_row = 16 * _ceiling(self._head.vocabulary, COMPARED_COLUMNS) * states
        size = max(ROWS, MOST_BYTES // of_row // ROWS * ROWS)
        return (slice(first, min(first + size, rows)) for first in range(0, rows, size))

    def sums(self, states: Tensor, targets: Tensor, *, compare: bool) -> list[Sums]:
        """As `tile_sums`."""
        head = self._head
        return tile_sums(states, self._weight, head.bias, head.changes, targets, compare=compare)


def pieces_of(values: Tensor) -> Tensor:
    """(pieces, *values.shape): fp32 as three bf16 numbers that add up to it, the largest first; narrower
    dtypes as they are."""
    if values.dtype != torch.float32:
        return values[None]
    pieces = torch.empty((PIECES, *values.shape), dtype=torch.bfloat16, device=values.device)
    rest = values
    for piece in pieces:
        piece.copy_(rest)
        rest = rest - piece
    return pieces


def tile_sums(
    states: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    changes: LogitChanges,
    targets: Tensor,
    compare: bool,
) -> list[Sums]:
    """Of each of normed states (subnetworks, rows, hidden), in the model's dtype, under the `pieces_of` a
    head's weight, (pieces, vocabulary, hidden), with its bias. `compare`: each with the first, the dense
    model's. `targets`: int64 (rows,)."""
    pieces, vocabulary, hidden = weight.shape
    count, rows = states.shape[:2]
    columns = COMPARED_COLUMNS if compare else COLUMNS
    tiles = _ceiling(vocabulary, columns)

    def empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.empty(shape, dtype=dtype, device=weight.device)

    shape = (count, tiles, rows)
    highest, exponentials, target = empty(*shape), empty(*shape), empty(count, rows)
    differences, squares = (empty(*shape), empty(*shape)) if compare else (None, None)
    # The pieces have the weight's dtype already, but in Triton's interpreter, where tests hand over fp32.
    kernel[_ceiling(rows, ROWS) * tiles, 1 if compare else count](
        pieces_of(states).to(weight.dtype),
        weight,
        bias,
        targets,
        highest,
        exponentials,
        target,
        differences,
        squares,
        count,
        rows,
        vocabulary,
        hidden,
        1.0 if changes.multiplier is None else changes.multiplier,
        1.0 if changes.divisor is None else changes.divisor,
        1.0 if changes.softcap is None else changes.softcap,
        PAIRS=6 if pieces == PIECES else 1,
        ROUND=pieces == 1,
        EVEN=hidden % STEP == 0,
        BIAS=bias is not None,
        MULTIPLIER=changes.multiplier is not None,
        DIVISOR=changes.divisor is not None,
        SOFTCAP=changes.softcap is not None,
        COMPARE=compare,
        ROWS=ROWS,
        COLUMNS=columns,
        STEP=STEP,
        NEIGHBOURS=NEIGHBOURS,
        num_warps=WARPS,
        num_stages=STAGES,
    )
    return [
        Sums(
            highest=highest[state],
            exponentials=exponentials[state],
            target=target[state],
            differences=None if differences is None else differences[state],
            squares=None if squares is None else squares[state],
        )
        for state in range(count)
    ]


def _ceiling(number: int, divisor: int) -> int:
    return -(-number // divisor)
