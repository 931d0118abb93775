"""The kernel of `head_kernel.py`, in Triton's language."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def tile_sums(
    states,
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
    multiplier,
    divisor,
    softcap,
    PAIRS: tl.constexpr,
    ROUND: tl.constexpr,
    EVEN: tl.constexpr,
    BIAS: tl.constexpr,
    MULTIPLIER: tl.constexpr,
    DIVISOR: tl.constexpr,
    SOFTCAP: tl.constexpr,
    COMPARE: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    STEP: tl.constexpr,
    NEIGHBOURS: tl.constexpr,
):
    """Of logits y (rows, vocabulary) of `count` subnetworks, from `states` (pieces, count, rows, hidden) and
    `weight` (pieces, vocabulary, hidden): `highest`, `exponentials`, `differences`, `squares`, each (count,
    tiles, rows), and `target` (count, rows), as `Sums` has them. With `COMPARE` one program has a tile of all
    subnetworks, of which the first is the dense model; without, of one."""
    # Programs in turn: NEIGHBOURS tiles of rows on one tile of columns, then the next columns.
    program = tl.program_id(0)
    tiles, row_tiles = tl.cdiv(vocabulary, COLUMNS), tl.cdiv(rows, ROWS)
    group = program // (NEIGHBOURS * tiles)
    width = tl.minimum(row_tiles - group * NEIGHBOURS, NEIGHBOURS)
    within = program % (NEIGHBOURS * tiles)
    tile = within // width
    row = (group * NEIGHBOURS + within % width) * ROWS + tl.arange(0, ROWS)
    column = tile * COLUMNS + tl.arange(0, COLUMNS)
    is_row, is_column = row < rows, (column < vocabulary)[None, :]

    goal = tl.load(targets + row, mask=is_row, other=-1)
    if BIAS:
        added = tl.load(bias + column, mask=column < vocabulary, other=0.0).to(tl.float32)[None, :]
    else:
        added = 0.0
    state_size = tl.cast(rows, tl.int64) * hidden
    first = tl.program_id(1)
    last = count if COMPARE else first + 1
    z = tl.zeros((ROWS, COLUMNS), tl.float32)
    for state in range(first, last):
        y = _product(
            states + state * state_size,
            count * state_size,
            weight,
            tl.cast(vocabulary, tl.int64) * hidden,
            tl.minimum(row, rows - 1),
            tl.minimum(column, vocabulary - 1),
            hidden,
            PAIRS,
            EVEN,
            ROWS,
            COLUMNS,
            STEP,
        )
        y = _rounded(y + added, states, ROUND)
        if MULTIPLIER:
            y = _rounded(y * multiplier, states, ROUND)
        if DIVISOR:
            y = _rounded(y / divisor, states, ROUND)
        if SOFTCAP:
            share = _rounded(y / softcap, states, ROUND)
            y = _rounded(
                _rounded(2.0 * tl.sigmoid(2.0 * share) - 1.0, states, ROUND) * softcap, states, ROUND
            )
        if COMPARE:
            if state == 0:
                z = y
        shown = tl.where(is_column, y, float("-inf"))
        top = tl.max(shown, 1)
        at = (state * tiles + tile) * tl.cast(rows, tl.int64) + row
        tl.store(highest + at, top, mask=is_row)
        tl.store(exponentials + at, tl.sum(tl.exp(shown - top[:, None]), 1), mask=is_row)
        here = (goal >= tile * COLUMNS) & (goal < tile * COLUMNS + COLUMNS)
        reached = tl.sum(tl.where(column[None, :] == goal[:, None], y, 0.0), 1)
        tl.store(target + state * rows + row, reached, mask=is_row & here)
        if COMPARE:
            off = tl.where(is_column, z - y, 0.0)
            dense = tl.where(is_column, z, float("-inf"))
            weighted = tl.exp(dense - tl.max(dense, 1)[:, None]) * off
            tl.store(differences + at, tl.sum(weighted, 1), mask=is_row)
            tl.store(squares + at, tl.sum(off * off, 1), mask=is_row)


@triton.jit
def _product(
    left,
    left_piece,
    right,
    right_piece,
    row,
    column,
    hidden,
    PAIRS: tl.constexpr,
    EVEN: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    STEP: tl.constexpr,
):
    """fp32 (ROWS, COLUMNS): `left`'s rows times `right`'s; their pieces lie `left_piece` and `right_piece`
    apart."""
    inner = tl.arange(0, STEP)
    x_at = left + row.to(tl.int64)[:, None] * hidden + inner[None, :]
    w_at = right + column.to(tl.int64)[None, :] * hidden + inner[:, None]
    steps = tl.cdiv(hidden, STEP)
    total = tl.zeros((ROWS, COLUMNS), tl.float32)
    for step in range(PAIRS * steps):
        # Pieces 0 and 2, 1 and 1, 2 and 0, 0 and 1, 1 and 0, 0 and 0.
        pair = step // steps
        one = tl.where(pair < 3, pair, tl.where(pair == 4, 1, 0)).to(tl.int64)
        other = tl.where(pair < 3, 2 - pair, tl.where(pair == 3, 1, 0)).to(tl.int64)
        if PAIRS == 1:
            one = pair.to(tl.int64)
            other = pair.to(tl.int64)
        done = (step % steps) * STEP
        if EVEN:
            x = tl.load(x_at + one * left_piece + done)
            w = tl.load(w_at + other * right_piece + done)
        else:
            inside = inner < hidden - done
            x = tl.load(x_at + one * left_piece + done, mask=inside[None, :], other=0.0)
            w = tl.load(w_at + other * right_piece + done, mask=inside[:, None], other=0.0)
        total = tl.dot(x, w, total)
    return total


@triton.jit
def _rounded(y, states, ROUND: tl.constexpr):
    """fp32, of a number that the model's dtype holds where `ROUND`."""
    if ROUND:
        y = y.to(states.dtype.element_ty).to(tl.float32)
    return y
