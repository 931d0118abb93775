"""Where work is cut for several devices: pure, on paces that are given."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from depthkit_worker.subnetworks.executor import Evaluation, Piece
from depthkit_worker.subnetworks.plan import Plan, cost_of_rows
from depthkit_worker.subnetworks.positions import ALL_POSITIONS
from depthkit_worker.subnetworks.splits import (
    MOST_SECONDS,
    ItemCut,
    Pace,
    Split,
    cut_items,
    done_after,
    split,
)
from depthkit_worker.subnetworks.steps import Shares, StepCost

COST = StepCost(parallel=False, shares=Shares(0.3, 0.7))
DEPTH = 12
LINEAR, FLAT = Pace(call=0.0, token=1e-4), Pace(call=0.1, token=1e-9)
"""A CPU, and a GPU that takes as long for a sequence as for sixteen."""


def prefixes(rows: int) -> NDArray[np.uint8]:
    """Subnetworks that lose their last blocks, so that all share what comes before."""
    codes = np.zeros((rows, DEPTH), dtype=np.uint8)
    for row in range(rows):
        codes[row, DEPTH - row % DEPTH :] = 3
    return np.unique(codes, axis=0)


def halves(rows: int) -> NDArray[np.uint8]:
    """Two branches that part at the first block, whatever there is of random sets below."""
    lost = np.random.default_rng(0).random((rows, DEPTH)) < 0.4
    codes = np.where(lost, 3, 0).astype(np.uint8)
    codes[:, 0] = np.where(np.arange(rows) % 2, 3, 0)
    return np.unique(codes, axis=0)


def plan_of(codes: NDArray[np.uint8], sequences: int, batch: int) -> tuple[Plan, Evaluation]:
    evaluation = Evaluation(codes, ("loss",), ALL_POSITIONS)
    pieces = tuple(
        Piece(np.arange(len(codes)), first, min(first + batch, sequences))
        for first in range(0, sequences, batch)
    )
    walked = cost_of_rows(codes, False, COST).evaluations
    return Plan(pieces, batch, walked * len(pieces), len(codes) * len(pieces), 0.5, 4), evaluation


def cut(codes: NDArray[np.uint8], sequences: int, batch: int, pace: Pace, devices: int) -> Split:
    plan, evaluation = plan_of(codes, sequences, batch)
    found = split(plan, evaluation, COST, 64, pace, devices)
    covered = np.zeros((len(codes), sequences), dtype=int)
    for piece in found.pieces:
        covered[piece.rows[0] : piece.rows[-1] + 1, piece.first : piece.end] += 1
    assert (covered == 1).all(), "every subnetwork on every sequence, once"
    assert found.seconds == pytest.approx(done_after(found.each, devices))
    return found


def test_one_device_with_short_pieces_is_left_as_it_was() -> None:
    found = cut(prefixes(12), 4, 4, LINEAR, 1)
    assert len(found.pieces) == 1 and found.sharing_lost == 0
    assert found.seconds == pytest.approx(found.alone)


def test_where_a_batch_costs_by_its_tokens_sequences_are_cut() -> None:
    found = cut(prefixes(12), 16, 16, LINEAR, 4)
    assert found.sharing_lost == 0
    assert {len(piece.rows) for piece in found.pieces} == {12}
    assert found.alone / found.seconds > 3.5


def test_where_a_batch_costs_the_same_whatever_its_size_branches_are_cut() -> None:
    found = cut(halves(40), 16, 16, FLAT, 2)
    assert {piece.sequences for piece in found.pieces} == {16}
    assert len({tuple(piece.rows) for piece in found.pieces}) >= 2
    assert 0 <= found.sharing_lost < 0.15
    assert found.alone / found.seconds > 1.5


def test_a_cut_between_branches_that_share_nothing_loses_nothing() -> None:
    codes = np.zeros((2, DEPTH), dtype=np.uint8)
    codes[1, 0] = 3
    found = cut(codes, 1, 1, FLAT, 2)
    assert len(found.pieces) == 2 and found.sharing_lost == 0


def test_what_all_share_is_not_worth_a_cut() -> None:
    """Two subnetworks that differ in the last block: a device each would take as long as one both."""
    codes = np.zeros((2, DEPTH), dtype=np.uint8)
    codes[1, -1] = 3
    found = cut(codes, 1, 1, Pace(0.01, 0.0), 2)
    lost = cost_of_rows(codes[:1], False, COST).evaluations * 2 - 1
    assert found.seconds <= found.alone
    assert found.sharing_lost in (0, pytest.approx(lost / DEPTH - 1))


def test_pieces_take_seconds_where_that_costs_little() -> None:
    found = cut(halves(200), 64, 64, LINEAR, 2)
    assert max(found.each) <= MOST_SECONDS and found.sharing_lost < 0.05


def test_pieces_are_longer_where_short_ones_would_lose_what_is_shared() -> None:
    found = cut(halves(200), 1, 1, Pace(0.5, 0.0), 2)
    assert max(found.each) > MOST_SECONDS
    assert found.alone / found.seconds > 1.8


@pytest.mark.parametrize(
    ("seconds", "devices", "last"),
    [([1, 1, 1, 1], 2, 2), ([3, 1, 1, 1], 2, 3), ([1, 1, 1], 2, 2), ([5], 8, 5), ([], 3, 0)],
)
def test_when_the_last_device_is_done(seconds: list[float], devices: int, last: float) -> None:
    assert done_after(seconds, devices) == last


def items_cut(count: int, batch: int, pace: Pace, devices: int) -> ItemCut:
    """Items of 64 tokens through 12 blocks."""
    found = cut_items(count, batch, lambda items: DEPTH * pace.block(64 * len(items)), devices)
    assert [item for part in found.parts for item in part] == list(range(count)), "each once, in order"
    return found


def test_items_go_in_whole_batches_where_there_are_enough() -> None:
    found = items_cut(400, 4, LINEAR, 2)
    assert all(len(part) % 4 == 0 for part in found.parts)
    assert max(found.seconds) <= MOST_SECONDS
    assert done_after(found.seconds, 2) < 0.6 * sum(found.seconds)


def test_few_batches_are_cut_smaller_where_that_ends_sooner() -> None:
    assert len(items_cut(16, 16, LINEAR, 4).parts) >= 4
    assert len(items_cut(16, 16, FLAT, 4).parts) == 1, "a GPU takes as long for a part of them"


def test_what_takes_no_time_is_one_part() -> None:
    assert [*items_cut(1000, 8, Pace(0.0, 1e-9), 8).parts] == [range(1000)]


def test_no_items_are_no_parts() -> None:
    assert items_cut(0, 8, LINEAR, 2).parts == ()
