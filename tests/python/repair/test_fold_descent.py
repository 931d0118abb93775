"""The fold by a cosine objective, against an optimisation of its own in NumPy and PyTorch's line search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from depthkit_worker.contract.wire import FoldDescent, FoldOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.repair.fold import fit_fold
from depthkit_worker.repair.fold_descent import Streams, cosine_objective
from depthkit_worker.session.job import Unattended
from export.checkpoints import logits as saved_logits
from export.checkpoints import reload, save
from influence.builders import llama
from repair.builders import (
    Array,
    base_of,
    block_states,
    gap_states,
    logits,
    many_rows,
    repairs_of,
    sequences,
)
from repair.test_fold import feed_forward_update, turn_of

OBJECTIVES = ("cosine", "stream-cosine")


def fit(base: Base, objective: str = "cosine", ridge: float | None = 0.1, **descent: float) -> Fitted:
    options = FoldOptions(
        objective=objective,  # type: ignore[arg-type]
        ridge=ridge,
        descent=FoldDescent(**descent) if descent else None,  # type: ignore[arg-type]
    )
    return fit_fold(options, base, Unattended())


def streams_of(base: Base, index: int, objective: str) -> tuple[Array, Array, Array]:
    """F, what F T + b with the third added shall point along, and that third."""
    F = feed_forward_update(base, index - 1)
    x_in, x_out = gap_states(base, Unit("block", index))
    if objective == "cosine":
        return F, x_out - x_in + F, np.zeros_like(F)
    return F, x_out, x_in - F


def objective_of(fed: Array, aim: Array, beside: Array, turn: Array, b: Array) -> float:
    made = fed @ turn + b + beside
    cosines = (made * aim).sum(1) / np.linalg.norm(made, axis=1) / np.linalg.norm(aim, axis=1)
    return float(1 - cosines.mean())


def searched(all_fed: Array, aim: Array, beside: Array, turn: Array, b: Array) -> float:
    """The least objective that L-BFGS with a line search finds from `turn` and b."""
    fed, target, rest = (torch.from_numpy(value) for value in (all_fed, aim, beside))
    target = target / target.norm(dim=1, keepdim=True)
    both = torch.from_numpy(np.concatenate([turn, b[None]])).requires_grad_()
    search = torch.optim.LBFGS([both], max_iter=2000, tolerance_grad=1e-9, line_search_fn="strong_wolfe")

    def value() -> Tensor:
        search.zero_grad()
        made = fed @ both[:-1] + both[-1] + rest
        lost: Tensor = 1 - ((made * target).sum(1) / made.square().sum(1).sqrt()).mean()
        lost.backward()  # type: ignore[no-untyped-call]
        return lost

    search.step(value)  # type: ignore[no-untyped-call]
    return value().item()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_no_step_is_least_squares_and_its_objective_is_numpys(objective: str) -> None:
    base = base_of("llama", "block.3", rows=many_rows())
    fitted = fit(base, objective, steps=0)
    for mine, plain in zip(turn_of(fitted), turn_of(fit(base, "least-squares")), strict=True):
        np.testing.assert_array_equal(mine, plain)
    report = fitted.gaps[0].descent
    assert report is not None and fitted.notes == ()
    expected = objective_of(*streams_of(base, 3, objective), *turn_of(fitted))
    assert report.before == report.after == pytest.approx(expected, abs=1e-6)
    assert (report.steps, report.tokens) == (0, 480)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_it_ends_where_another_optimisation_ends(objective: str) -> None:
    base = base_of("llama", "block.3", rows=many_rows())
    start = turn_of(fit(base, "least-squares"))
    fitted = fit(base, objective, steps=1500, learning_rate=0.01, batch_tokens=480)
    report = fitted.gaps[0].descent
    assert report is not None
    streams = streams_of(base, 3, objective)
    least = searched(*streams, *start)
    assert least < report.before - 1e-3
    assert report.after == pytest.approx(least, abs=2e-4)
    assert report.after == pytest.approx(objective_of(*streams, *turn_of(fitted)), abs=1e-6)


@pytest.mark.parametrize("with_beside", [False, True])
def test_the_gradient_is_that_of_central_differences(with_beside: bool) -> None:
    torch.manual_seed(3)
    fed, aim, beside = (torch.randn(7, 4, dtype=torch.float64) for _ in range(3))
    streams = Streams(fed, aim, beside if with_beside else None)
    turn = torch.randn(4, 4, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(4, dtype=torch.float64, requires_grad=True)
    cosine_objective(streams, turn, bias).backward()  # type: ignore[no-untyped-call]
    step = 1e-6
    for value in (turn, bias):
        assert value.grad is not None
        for at in np.ndindex(*value.shape):
            there = []
            for sign in (1, -1):
                moved = [one.detach().clone() for one in (turn, bias)]
                moved[0 if value is turn else 1][at] += sign * step
                there.append(float(cosine_objective(streams, *moved)))
            assert float(value.grad[at]) == pytest.approx((there[0] - there[1]) / (2 * step), abs=1e-8)


def test_the_model_itself_points_where_the_report_says() -> None:
    base = base_of("llama", "block.2", "block.3", rows=many_rows())
    before = weights_checksum(base.decoder)
    fitted = fit(base, "stream-cosine", steps=100, learning_rate=1e-3, batch_tokens=96)
    report = fitted.gaps[0].descent
    assert report is not None and report.after < report.before
    _, x_out = block_states(base, 2, 3)
    _, folded = block_states(base, 1, 1, base.subnetwork.units, repairs_of(base, fitted))
    cosines = (folded * x_out).sum(1) / np.linalg.norm(folded, axis=1) / np.linalg.norm(x_out, axis=1)
    assert 1 - cosines.mean() == pytest.approx(report.after, abs=1e-5)
    assert weights_checksum(base.decoder) == before


def test_the_seed_and_nothing_else_decides() -> None:
    rows = many_rows()
    said = {"steps": 20, "learning_rate": 1e-3, "batch_tokens": 64, "tokens": 200}

    def turned(seed: int, batch_size: int) -> tuple[Array, Array]:
        base = base_of("llama", "block.3", rows=rows, skip=1, batch_size=batch_size)
        return turn_of(fit(base, "cosine", 0.1, **said, seed=seed))

    first, again, other = turned(0, 4), turned(0, 4), turned(1, 4)
    np.testing.assert_array_equal(first[0], again[0])
    assert np.abs(first[0] - other[0]).max() > 1e-4
    np.testing.assert_allclose(turned(0, 7)[0], first[0], atol=1e-5)


def test_only_so_many_tokens_are_kept() -> None:
    base = base_of("llama", "block.3", rows=many_rows(), skip=1)
    report = fit(base, steps=1, tokens=100).gaps[0].descent
    assert report is not None and report.tokens == 100
    whole = fit(base, steps=1).gaps[0].descent
    assert whole is not None and whole.tokens == 40 * 11


def test_with_the_pruned_reference_each_gap_descends_on_what_is_there() -> None:
    base = base_of("llama", "block.1", "block.4", rows=many_rows())
    options = FoldOptions(
        reference="pruned",
        objective="stream-cosine",
        descent=FoldDescent(steps=50, learning_rate=1e-3, batch_tokens=480),
    )
    fitted = fit_fold(options, base, Unattended())
    repairs = repairs_of(base, fitted)
    _, x_out = block_states(base, 4, 4, base.subnetwork.units[:1], repairs[:1])
    _, folded = block_states(base, 3, 3, base.subnetwork.units, repairs)
    cosines = (folded * x_out).sum(1) / np.linalg.norm(folded, axis=1) / np.linalg.norm(x_out, axis=1)
    report = fitted.gaps[1].descent
    assert report is not None and report.after < report.before
    assert 1 - cosines.mean() == pytest.approx(report.after, abs=1e-5)


def test_a_descent_that_goes_up_leaves_least_squares_and_says_so() -> None:
    base = base_of("llama", "block.3", rows=many_rows())
    fitted = fit(base, steps=2, learning_rate=50.0)
    report = fitted.gaps[0].descent
    assert report is not None and report.after == report.before
    assert fitted.notes == (
        "block.3: no step lowered the cosine objective, so this is the map of least squares",
    )
    np.testing.assert_array_equal(turn_of(fitted)[0], turn_of(fit(base, "least-squares"))[0])


def test_least_squares_takes_no_descent_and_gaps_that_cannot_be_folded_are_refused_alike() -> None:
    with pytest.raises(DepthkitError, match="closed form and no steps") as caught:
        fit(base_of("llama", "block.3"), "least-squares", steps=3)
    assert caught.value.code == "INVALID_ARGUMENT"
    for family, unit in (("gemma2", "block.2"), ("mixtral", "block.2"), ("llama", "block.0")):
        with pytest.raises(DepthkitError, match="Folding"):
            fit(base_of(family, unit))


def test_a_cancel_is_obeyed_between_steps_and_they_are_told() -> None:
    told: list[tuple[int, int | None]] = []

    class Impatient(Unattended):
        def check(self) -> None:
            if len(told) == 3:
                raise DepthkitError("CANCELLED", "enough")

        def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
            if phase == "fold":
                told.append((done, total))

    base = base_of("llama", "block.3", rows=many_rows())
    before = weights_checksum(base.decoder)
    with pytest.raises(DepthkitError, match="enough"):
        fit_fold(FoldOptions(objective="cosine", descent=FoldDescent(steps=9)), base, Impatient())
    assert told == [(1, 9), (2, 9), (3, 9)]
    assert weights_checksum(base.decoder) == before


@pytest.mark.parametrize("family", ["llama", "llama-tied", "gpt2"])
def test_the_plain_checkpoint_is_the_live_model(family: str, tmp_path: Path) -> None:
    base = base_of(family, "block.2", "block.3", rows=many_rows())
    repairs = repairs_of(base, fit(base, steps=50, learning_rate=1e-3))
    result = save(base.decoder, base.subnetwork.units, tmp_path / "out", repairs)
    assert result.layout == "plain"
    model = reload(tmp_path / "out")
    for ids, live in zip(sequences(base), logits(base, repairs), strict=True):
        torch.testing.assert_close(saved_logits(model, ids), live, atol=1e-5, rtol=0)


def test_an_infinite_ridge_starts_from_the_identity() -> None:
    base = base_of(llama(), "block.3", rows=many_rows())
    report = fit(base, ridge=None, steps=300, learning_rate=1e-3).gaps[0].descent
    F, aim, beside = streams_of(base, 3, "cosine")
    mean = (aim - F).mean(0)
    assert report is not None and report.after < report.before
    assert report.before == pytest.approx(objective_of(F, aim, beside, np.eye(32), mean), abs=1e-6)
