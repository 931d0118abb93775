"""Reduced-rank regression from streamed sums against NumPy on the states themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import LlamaConfig

from depthkit_worker.contract.wire import LowRankOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import LowRank
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.repair.least_squares import affine_of
from depthkit_worker.repair.low_rank import fit_low_rank
from depthkit_worker.session.job import Unattended
from repair.builders import Array, base_of, dense_logits, gap_states, logits, many_rows, repairs_of
from tiny import SHAPE, random_model

HIDDEN = SHAPE["hidden_size"]
EPS = 1e-6


def fit(base: Base, rank: int, **options: object) -> Fitted:
    options = {"ridge": 0.0, **options}
    return fit_low_rank(LowRankOptions(rank=rank, **options), lambda _: None, base, Unattended())  # type: ignore[arg-type]


def update_of(fitted: Fitted, number: int = 0) -> LowRank:
    (edit,) = fitted.fills[number].edits.values()
    (module,) = (each for each in (edit.before, edit.beside, edit.after) if each is not None)
    assert isinstance(module, LowRank)
    return module


def reference(z: Array, d: Array, rank: int, ridge: float, constant: bool = True) -> tuple[Array, Array]:
    """M and b of the rank: the ridge as rows under the centred data, the fitted values cut by their SVD."""
    middle_z, middle_d = z.mean(0) * constant, d.mean(0) * constant
    penalty = np.sqrt(ridge * np.square(z).mean(0).mean() * len(z)) * np.eye(z.shape[1])
    tall = np.concatenate([z - middle_z, penalty])
    aim = np.concatenate([d - middle_d, np.zeros((z.shape[1], d.shape[1]))])
    full = np.linalg.lstsq(tall, aim, rcond=None)[0]
    directions = np.linalg.svd(tall @ full, full_matrices=False)[2][:rank]
    matrix = full @ directions.T @ directions
    return matrix, middle_d - middle_z @ matrix


def states(base: Base, reads: str) -> tuple[Array, Array]:
    x_in, x_out = gap_states(base, base.subnetwork.units[0])
    z = x_in if reads == "raw" else x_in / np.sqrt(np.square(x_in).mean(-1, keepdims=True) + EPS)
    return z, x_out - x_in


@pytest.mark.parametrize("unit", ["block.2", "attention.2", "feed-forward.2"])
@pytest.mark.parametrize("reads", ["normed", "raw"])
@pytest.mark.parametrize(("rank", "ridge"), [(3, 0.0), (3, 0.05), (HIDDEN, 0.0), (HIDDEN, 0.3)])
def test_it_is_numpys_reduced_rank_regression(unit: str, reads: str, rank: int, ridge: float) -> None:
    base = base_of("llama", unit, rows=many_rows(), skip=1)
    fitted = fit(base, rank, input=reads, ridge=ridge)
    z, d = states(base, reads)
    matrix, bias = reference(z, d, rank, ridge)
    update = affine_of(update_of(fitted))
    assert update.matrix is not None
    np.testing.assert_allclose(update.matrix.numpy(), matrix, atol=1e-5)
    np.testing.assert_allclose(update.bias.numpy(), bias, atol=1e-5)
    error = np.square(z @ matrix + bias - d).sum() / np.square(d).sum()
    assert fitted.gaps[0].repaired_error == pytest.approx(error, abs=1e-5)


@pytest.mark.parametrize("unit", ["block.2", "attention.2", "feed-forward.2"])
def test_at_full_rank_raw_unridged_and_without_a_constant_it_is_ghosted_layers(unit: str) -> None:
    """arXiv 2605.15491: x becomes x + x M with M plain least squares from the stream to the update."""
    base = base_of("llama", unit, rows=many_rows(), skip=1)
    fitted = fit(base, HIDDEN, input="raw", constant=False)
    x, d = states(base, "raw")
    module = update_of(fitted)
    assert module.bias is None and [name for name, _ in module.named_parameters()] == ["down", "up"]
    matrix = np.linalg.lstsq(x, d, rcond=None)[0]
    found = affine_of(module).matrix
    assert found is not None
    np.testing.assert_allclose(found.numpy(), matrix, atol=1e-5)
    error = np.square(x @ matrix - d).sum() / np.square(d).sum()
    assert fitted.gaps[0].repaired_error == pytest.approx(error, abs=1e-5)


@pytest.mark.parametrize(("rank", "ridge"), [(3, 0.0), (3, 0.05), (HIDDEN, 0.3)])
def test_without_a_constant_of_any_rank(rank: int, ridge: float) -> None:
    base = base_of("llama", "block.2", rows=many_rows(), skip=1)
    matrix, bias = reference(*states(base, "normed"), rank, ridge, constant=False)
    assert not bias.any()
    found = affine_of(update_of(fit(base, rank, ridge=ridge, constant=False)))
    assert found.matrix is not None
    np.testing.assert_allclose(found.matrix.numpy(), matrix, atol=1e-5)
    assert not found.bias.any()


def test_one_pass_serves_gaps_of_all_kinds_in_a_parallel_model() -> None:
    names = ["attention.1", "feed-forward.2", "block.4"]
    together = fit(base_of("gpt_neox-parallel", *names, rows=many_rows()), 2)
    for number, name in enumerate(names):
        alone = affine_of(update_of(fit(base_of("gpt_neox-parallel", name, rows=many_rows()), 2))).matrix
        joint = affine_of(update_of(together, number)).matrix
        assert alone is not None and joint is not None
        np.testing.assert_allclose(joint.numpy(), alone.numpy(), atol=1e-6)


def test_more_rank_never_fits_worse_and_the_constant_is_where_it_starts() -> None:
    base = base_of("llama", "block.2", rows=many_rows())
    errors = [fit(base, rank).gaps[0].repaired_error for rank in (1, 2, 4, 8, 16, HIDDEN)]
    assert errors == sorted(errors, reverse=True) and errors[0] > errors[-1]
    z, d = states(base, "normed")
    constant = np.square(d - d.mean(0)).sum() / np.square(d).sum()
    least = (
        np.linalg.lstsq(np.concatenate([z, np.ones((len(z), 1))], 1), d, rcond=None)[1].sum()
        / np.square(d).sum()
    )
    assert errors[0] < constant
    assert errors[-1] == pytest.approx(least, rel=1e-4)
    # A ridge without end leaves the constant alone.
    assert fit(base, HIDDEN, ridge=1e9).gaps[0].repaired_error == pytest.approx(constant, rel=1e-5)


def test_fewer_tokens_than_directions_give_the_smallest_solution() -> None:
    base = base_of("llama", "block.2", rows=many_rows(1, 12))
    fitted = fit(base, HIDDEN)
    z, d = states(base, "normed")
    matrix, _ = reference(z, d, HIDDEN, 0.0)
    update = affine_of(update_of(fitted))
    assert update.matrix is not None
    np.testing.assert_allclose(update.matrix.numpy(), matrix, atol=1e-4)
    assert fitted.gaps[0].repaired_error < 1e-6


@torch.no_grad()
def test_a_block_that_is_linear_in_the_normed_stream_comes_back_whole() -> None:
    model = random_model(LlamaConfig(**SHAPE, mlp_bias=True))
    block = model.model.layers[2]
    block.self_attn.o_proj.weight.zero_()
    block.mlp.gate_proj.weight.zero_()
    block.mlp.gate_proj.bias.fill_(32)  # silu(32) is 32
    block.mlp.down_proj.weight.div_(32)
    base = base_of(Decoder(model), "block.2", rows=many_rows())
    fitted = fit(base, HIDDEN)
    assert fitted.gaps[0].repaired_error < 1e-9
    gone = logits(base)
    for dense, back, without in zip(
        dense_logits(base), logits(base, repairs_of(base, fitted)), gone, strict=True
    ):
        torch.testing.assert_close(back, dense, atol=1e-4, rtol=0)
        assert (without - dense).abs().max() > 1e-2


@torch.no_grad()
def test_a_fit_that_is_wrong_for_the_skipped_tokens_says_so() -> None:
    """The raw stream of a first token far larger than the rest, as real models have them."""
    model = random_model(LlamaConfig(**SHAPE))
    model.model.embed_tokens.weight[1].mul_(1000)
    rows = [[1, *row] for row in many_rows()]
    base = base_of(Decoder(model), "block.2", rows=rows, skip=1)
    raw, normed = fit(base, 8, input="raw"), fit(base, 8)
    assert raw.gaps[0].repaired_error_all > 1.5 * raw.gaps[0].repaired_error
    assert len(raw.notes) == 1 and "block.2" in raw.notes[0] and "skipTokens 0" in raw.notes[0]
    assert normed.notes == ()
    assert fit(base_of(Decoder(model), "block.2", rows=rows), 8, input="raw").notes == ()


def test_a_rank_beyond_the_stream_is_refused() -> None:
    with pytest.raises(DepthkitError, match=f"1 to {HIDDEN}") as caught:
        fit(base_of("llama", "block.2"), HIDDEN + 1)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_half_precision_models_keep_their_dtype() -> None:
    base = base_of(
        Decoder(random_model(LlamaConfig(**SHAPE), dtype=torch.bfloat16)), "block.2", rows=many_rows()
    )
    fitted = fit(base, 4)
    assert {parameter.dtype for parameter in update_of(fitted).parameters()} == {torch.bfloat16}
    assert logits(base, repairs_of(base, fitted))[0].dtype == torch.bfloat16
