"""The ridge that held-out sequences choose, against every ridge tried with NumPy on the states themselves."""

from __future__ import annotations

import numpy as np
import pytest

from depthkit_worker.contract.wire import FoldOptions, LowRankOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.repair.fold import fit_fold
from depthkit_worker.repair.least_squares import HELD_OUT, affine_of
from depthkit_worker.repair.low_rank import fit_low_rank
from depthkit_worker.repair.ridge_regression import GRID
from depthkit_worker.session.job import Unattended
from influence.builders import llama
from repair.builders import Array, base_of, block_states, many_rows
from repair.test_fold import feed_forward_update, turn_of
from repair.test_low_rank import HIDDEN, reference, states, update_of

LENGTH = 12


def fit(base: Base, **options: object) -> Fitted:
    return fit_low_rank(LowRankOptions(**options), lambda _: None, base, Unattended())  # type: ignore[arg-type]


def by_numpy(z: Array, d: Array, rank: int, tokens: int, constant: bool = True) -> dict[float, float]:
    """The error on the held-out sequences, of `tokens` each, by ridge."""
    held = (np.arange(len(z)) // tokens) % HELD_OUT == 1
    errors = {}
    for ridge in GRID:
        matrix, bias = reference(z[~held], d[~held], rank, ridge, constant)
        errors[ridge] = float(np.square(z[held] @ matrix + bias - d[held]).sum() / np.square(d[held]).sum())
    return errors


@pytest.mark.parametrize("constant", [True, False])
@pytest.mark.parametrize("rank", [3, HIDDEN])
@pytest.mark.parametrize("count", [8, 40])
def test_the_best_of_the_grid_on_held_out_sequences_is_taken(count: int, rank: int, constant: bool) -> None:
    base = base_of("llama", "block.2", rows=many_rows(count, LENGTH), skip=1)
    fitted = fit(base, rank=rank, ridge="auto", constant=constant)
    z, d = states(base, "normed")
    errors = by_numpy(z, d, rank, LENGTH - 1, constant)
    best = min(errors, key=errors.__getitem__)
    (gap,) = fitted.gaps
    assert gap.ridge == best
    assert gap.held_out_error == pytest.approx(errors[best], rel=1e-4)
    # Then all tokens are fitted to with it.
    given = fit(base, rank=rank, ridge=best, constant=constant)
    assert affine_of(update_of(fitted)).matrix.equal(affine_of(update_of(given)).matrix)  # type: ignore[union-attr,arg-type]
    assert given.gaps[0].ridge is None and given.gaps[0].held_out_error is None
    assert given.gaps[0].repaired_error == gap.repaired_error


def test_little_text_asks_for_more_ridge_than_much() -> None:
    few, many = (
        fit(base_of("llama", "block.2", rows=many_rows(count, LENGTH)), rank=HIDDEN, ridge="auto")
        .gaps[0]
        .ridge
        for count in (4, 60)
    )
    assert few is not None and many is not None and few > many


def test_the_batch_size_changes_nothing() -> None:
    rows = many_rows(13, LENGTH)
    chosen = [
        fit(base_of("llama", "block.2", rows=rows, batch_size=size), rank=4, ridge="auto").gaps[0]
        for size in (1, 5, 13)
    ]
    assert len({gap.ridge for gap in chosen}) == 1
    for gap in chosen[1:]:
        assert gap.held_out_error == pytest.approx(chosen[0].held_out_error, rel=1e-6)


@pytest.mark.parametrize("way", ["dense", "pruned"])
def test_each_gap_has_a_ridge_of_its_own_and_folds_too(way: str) -> None:
    base = base_of("llama", "block.2", "block.4", rows=many_rows(40, LENGTH))
    fitted = fit_fold(FoldOptions(ridge="auto", reference=way), base, Unattended())  # type: ignore[arg-type]
    assert all(gap.ridge in GRID for gap in fitted.gaps)
    z = feed_forward_update(base, 1)
    x_in, x_out = block_states(base, 2, 2)
    errors = by_numpy(z, x_out - x_in, HIDDEN, LENGTH)
    best = min(errors, key=errors.__getitem__)
    assert fitted.gaps[0].ridge == best
    assert fitted.gaps[0].held_out_error == pytest.approx(errors[best], rel=1e-4)
    given = fit_fold(FoldOptions(ridge=best, reference=way), base, Unattended())  # type: ignore[arg-type]
    for one, other in zip(turn_of(fitted), turn_of(given), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_gap_that_changes_nothing_has_an_error_of_0() -> None:
    fitted = fit(base_of(llama(identity=(2,)), "block.2", rows=many_rows(8)), rank=2, ridge="auto")
    assert fitted.gaps[0].held_out_error == 0.0 and fitted.gaps[0].ridge == max(GRID)


def test_one_sequence_leaves_nothing_to_hold_out() -> None:
    with pytest.raises(DepthkitError, match="Load 2 or more") as caught:
        fit(base_of("llama", "block.2", rows=many_rows(1)), rank=2, ridge="auto")
    assert caught.value.code == "NOT_ENOUGH_TEXT"
