"""Gaps folded into the feed-forward before them, against NumPy and against the model's own forward."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from depthkit_worker.contract.wire import EmulatedUpdateOptions, FoldOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.emulated_update import fit_emulated_update
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.repair.fold import fit_fold
from depthkit_worker.repair.weight_changes import Product
from depthkit_worker.session.job import Unattended
from family_models import MIXTURES, NORMED
from influence.builders import llama
from repair.builders import Array, base_of, block_states, gap_states, logits, many_rows, repairs_of
from tiny import FAMILY_MODELS

FOLDED = sorted(FAMILY_MODELS.keys() - set(NORMED) - set(MIXTURES))


def fit(base: Base, ridge: float | None = 0.0, reference: str = "dense") -> Fitted:
    return fit_fold(FoldOptions(reference=reference, ridge=ridge), base, Unattended())  # type: ignore[arg-type]


def refused(base: Base) -> str:
    before = weights_checksum(base.decoder)
    with pytest.raises(DepthkitError) as caught:
        fit(base)
    assert caught.value.code == "INVALID_ARGUMENT" and weights_checksum(base.decoder) == before
    return caught.value.message


def turn_of(fitted: Fitted, number: int = 0) -> tuple[Array, Array]:
    """T and b of one gap."""
    (edit,) = fitted.fills[number].edits.values()
    assert isinstance(edit.after, Constant)
    change = next(iter(edit.weights.values()))
    assert isinstance(change, Product)
    return change.matrix.double().numpy(), edit.after.vector.double().numpy()


def feed_forward_update(base: Base, index: int) -> Array:
    """f of the block in the dense model: fp64 (tokens, hidden)."""
    x_in, x_out = gap_states(base, Unit("feed-forward", index))
    return x_out - x_in


@pytest.mark.parametrize("family", FOLDED)
def test_without_a_ridge_it_is_plain_least_squares_in_every_family_it_fits(family: str) -> None:
    base = base_of(family, "block.2", "block.3", rows=many_rows(), skip=1)
    before = weights_checksum(base.decoder)
    fitted = fit(base)
    T, b = turn_of(fitted)
    F = feed_forward_update(base, 1)
    x_in, x_out = block_states(base, 2, 3)
    F1 = np.concatenate([F, np.ones((len(F), 1))], 1)
    expected = np.linalg.lstsq(F1, x_out + F - x_in, rcond=None)[0]
    np.testing.assert_allclose(F1 @ np.concatenate([T, b[None]]), F1 @ expected, atol=1e-4)
    error = np.square(F1 @ expected - (x_out + F - x_in)).sum() / np.square(x_out - x_in).sum()
    assert fitted.gaps[0].repaired_error == pytest.approx(error, rel=1e-3)
    # And in the model: the stream behind block 1 is x_2 - F + F T + b.
    repairs = repairs_of(base, fitted)
    _, folded = block_states(base, 1, 1, base.subnetwork.units, repairs)
    np.testing.assert_allclose(folded, x_in - F + F @ T + b, atol=1e-4)
    left = np.square(folded - x_out).sum() / np.square(x_out - x_in).sum()
    assert left == pytest.approx(fitted.gaps[0].repaired_error, rel=1e-3)
    assert weights_checksum(base.decoder) == before


@pytest.mark.parametrize("reference", ["dense", "pruned"])
def test_an_infinite_ridge_is_the_emulated_update(reference: str) -> None:
    base = base_of("llama", "attention.1", "block.3", "block.5")
    folded = fit(base, None, reference)
    emulated = fit_emulated_update(EmulatedUpdateOptions(reference=reference), base, Unattended())  # type: ignore[arg-type]
    assert [fill.removed for fill in folded.fills] == [fill.removed for fill in emulated.fills]
    assert [list(fill.edits) for fill in folded.fills] == [[0], [2], [4]]
    for one, other in zip(
        logits(base, repairs_of(base, folded)), logits(base, repairs_of(base, emulated)), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)
    for here, there in zip(folded.gaps, emulated.gaps, strict=True):
        assert here.repaired_error == pytest.approx(there.repaired_error, rel=1e-6)
    nearly = fit(base, 1e9, reference)
    assert nearly.gaps[0].repaired_error == pytest.approx(emulated.gaps[0].repaired_error, rel=1e-5)


def test_the_ridge_pulls_towards_the_identity() -> None:
    base = base_of("llama", "block.3", rows=many_rows())
    F = feed_forward_update(base, 2)
    x_in, x_out = gap_states(base, Unit("block", 3))
    T, b = turn_of(fit(base, 0.1))
    a = 0.1 * len(F) * np.square(F).mean()
    middle, aim = F - F.mean(0), (x_out - x_in + F) - (x_out - x_in + F).mean(0)
    expected = np.linalg.solve(middle.T @ middle + a * np.eye(32), middle.T @ aim + a * np.eye(32))
    np.testing.assert_allclose(T, expected, atol=1e-5)
    np.testing.assert_allclose(b, (x_out - x_in + F).mean(0) - F.mean(0) @ expected, atol=1e-5)


def test_the_pruned_reference_fits_what_the_feed_forward_gives_there() -> None:
    base = base_of("llama", "block.1", "block.4", rows=many_rows())
    fitted = fit(base, 0.0, "pruned")
    repairs = repairs_of(base, fitted)
    x_in, x_out = block_states(base, 4, 4, base.subnetwork.units[:1], repairs[:1])
    _, folded = block_states(base, 3, 3, base.subnetwork.units, repairs)
    left = np.square(folded - x_out).sum() / np.square(x_out - x_in).sum()
    assert left == pytest.approx(fitted.gaps[1].repaired_error, rel=1e-3)


def test_a_removed_attention_takes_the_feed_forward_of_the_block_before() -> None:
    base = base_of("llama", "attention.3", rows=many_rows())
    fitted = fit(base)
    x_in, x_out = gap_states(base, Unit("attention", 3))
    _, folded = block_states(base, 2, 2, base.subnetwork.units, repairs_of(base, fitted))
    assert np.square(folded - x_out).sum() / np.square(x_out - x_in).sum() == pytest.approx(
        fitted.gaps[0].repaired_error, rel=1e-3
    )


def test_a_feed_forward_without_its_attention_takes_a_gap_in() -> None:
    assert [list(fill.edits) for fill in fit(base_of("llama", "attention.2", "block.3")).fills] == [[1], [2]]


@pytest.mark.parametrize("family", sorted(NORMED))
def test_a_norm_behind_the_feed_forward_is_refused(family: str) -> None:
    assert f"{family} norms what" in refused(base_of(family, "block.2"))


@pytest.mark.parametrize(("family", "unit"), [(name, {"qwen2_moe": 3}.get(name, 4)) for name in MIXTURES])
def test_experts_are_refused_and_their_dense_blocks_are_not(family: str, unit: int) -> None:
    assert "mixture of experts" in refused(base_of(family, f"block.{unit}"))
    dense = {"qwen2_moe": 2, "qwen3_moe": 3, "deepseek_v3": 3, "glm4_moe": 2}.get(family)
    if dense is not None:
        assert fit(base_of(family, f"block.{dense}")).fills


@pytest.mark.parametrize(
    ("family", "units", "why"),
    [
        ("llama", ["block.0"], "no feed-forward comes before"),
        ("llama", ["feed-forward.3"], "attention of the same block"),
        ("llama", ["feed-forward.2", "block.3"], "feed-forward"),
        ("llama", ["block.2", "attention.3"], "feed-forward.2, which comes right before it, is removed"),
        ("gpt_neox-parallel", ["attention.3"], "parallel blocks"),
    ],
)
def test_gaps_without_a_feed_forward_right_before_them_are_refused(
    family: str, units: list[str], why: str
) -> None:
    assert why in refused(base_of(family, *units))


def test_a_feed_forward_that_a_repair_has_changed_needs_the_pruned_reference() -> None:
    decoder = llama()
    low = base_of(decoder, "block.5")
    fitted = fit(low)
    (fill,) = fitted.fills
    changed = dataclasses.replace(fill, edits={2: dataclasses.replace(fill.edits[4], after=None)})
    repairs = repairs_of(low, dataclasses.replace(fitted, fills=(changed,)))
    base = base_of(decoder, "block.3", "block.5", repairs=repairs)
    assert "has changed mlp.down_proj.weight of block 2" in refused(base)
    pruned = fit(base, reference="pruned")
    assert pruned.fills[0].base == (repairs[0].digest,)


def test_no_hook_stays() -> None:
    base = base_of("falcon-parallel", "block.2")
    fit(base)
    assert not any(module._forward_hooks for module in base.decoder.model.modules())


def test_a_bias_of_the_projection_is_turned_as_well() -> None:
    fitted = fit(base_of("gpt2", "block.2"))
    names = set(fitted.fills[0].edits[1].weights)
    assert names == {"mlp.c_proj.weight", "mlp.c_proj.bias"}
    module: nn.Module = base_of("gpt2").decoder.blocks[1].mlp.c_proj  # type: ignore[union-attr, assignment]
    weight, bias = (getattr(module, name) for name in ("weight", "bias"))
    x: Tensor = torch.ones(3, weight.shape[0])
    change = next(iter(fitted.fills[0].edits[1].weights.values()))
    assert isinstance(change, Product)
    torch.testing.assert_close(x @ change(weight) + change(bias), (x @ weight + bias) @ change.matrix)
