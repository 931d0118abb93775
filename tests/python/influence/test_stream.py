"""Coding rates by their definition and their known values, and the stream of a model at every boundary."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest
import torch
from torch import LongTensor, Tensor

from depthkit_worker.contract.wire import EmulatedUpdateOptions, StreamOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.influence.coding_rate import EPS, centred, coding_rate, largest_rate
from depthkit_worker.influence.stream import MEASURES, StreamMeasures, stream_measures
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.repair.emulated_update import fit_emulated_update
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from influence.builders import corpus_of, llama, random_rows, tiny
from repair.builders import Array, base_of, many_rows, repairs_of

LENGTHS = (12, 9, 12, 5)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unit(columns: Tensor) -> Tensor:
    of_length_one: Tensor = columns / columns.norm(dim=-2, keepdim=True)
    return of_length_one


def by_definition(columns: Tensor, inner: bool) -> float:
    d, m = columns.shape
    W = columns.numpy()
    gram = W.T @ W if inner else W @ W.T
    _, logarithm = np.linalg.slogdet(np.eye(len(gram)) + d / (m * EPS) * gram)
    return float(logarithm) / 2


@pytest.mark.parametrize(("d", "m"), [(16, 5), (5, 16), (8, 8)])
def test_both_sides_of_the_determinant_agree(d: int, m: int) -> None:
    W = unit(normal(d, m))
    rate = float(coding_rate(W))
    assert rate == pytest.approx(by_definition(W, inner=True), abs=1e-9)
    assert rate == pytest.approx(by_definition(W, inner=False), abs=1e-9)
    assert rate <= largest_rate(d, m)


def test_identical_columns_give_one_direction() -> None:
    d = 12
    for m in (1, 5, 40):
        W = unit(normal(d, 1)).expand(d, m)
        assert float(coding_rate(W)) == pytest.approx(math.log(1 + d / EPS) / 2, abs=1e-9)


def test_orthonormal_columns_reach_the_bound() -> None:
    d, m = 12, 7
    W = torch.linalg.qr(normal(d, d)).Q[:, :m]
    bound = m / 2 * math.log(1 + d / (m * EPS))
    assert largest_rate(d, m) == pytest.approx(bound, rel=1e-12)
    assert float(coding_rate(W)) == pytest.approx(bound, abs=1e-9)
    # With more columns than dimensions: an orthonormal basis, again and again.
    basis = torch.linalg.qr(normal(d, d)).Q.repeat(1, 3)
    assert float(coding_rate(basis)) == pytest.approx(largest_rate(d, 3 * d), abs=1e-9)


def test_rotations_change_nothing_and_neither_do_lengths_shifts_and_order() -> None:
    x = normal(9, 6)
    turn = torch.linalg.qr(normal(6, 6, seed=1)).Q
    rate = float(coding_rate(centred(x)))
    for other in (x @ turn, 7 * x, x + normal(1, 6, seed=2), x[torch.randperm(9)]):
        assert float(coding_rate(centred(other))) == pytest.approx(rate, abs=1e-9)
    several = coding_rate(centred(torch.stack([x, 2 * x @ turn])))
    assert several.tolist() == pytest.approx([rate, rate], abs=1e-9)


def test_what_is_all_alike_has_no_rate() -> None:
    assert float(coding_rate(centred(torch.ones(5, 4, dtype=torch.float64)))) == 0.0
    assert float(coding_rate(centred(normal(1, 4)))) == 0.0


def measured(decoder: Decoder, rows: list[list[int]], **options: int) -> StreamMeasures:
    return stream_measures(decoder, corpus_of(rows), StreamOptions(**options), Unattended())


@torch.no_grad()
def boundaries(decoder: Decoder, row: list[int]) -> list[Tensor]:
    """The stream in front of every block and behind the last one, from the model's own forward."""
    seen: list[Tensor] = []

    def front(_module: object, positional: tuple[Tensor, ...], keywords: dict[str, Tensor]) -> None:
        seen.append((positional[0] if positional else keywords["hidden_states"])[0].clone())

    def behind(_module: object, _positional: object, output: Tensor | tuple[Tensor, ...]) -> None:
        seen.append((output[0] if isinstance(output, tuple) else output)[0].clone())

    handles = [block.register_forward_pre_hook(front, with_kwargs=True) for block in decoder.blocks]
    handles.append(decoder.blocks[-1].register_forward_hook(behind))
    decoder.model(cast("LongTensor", torch.tensor([row])), use_cache=False)
    for handle in handles:
        handle.remove()
    return seen


def by_hand(decoder: Decoder, rows: list[list[int]], skip: int) -> Array:
    """(sequences, measures, depth + 1)"""
    found = []
    for row in rows:
        states = [state[skip:].double().numpy() for state in boundaries(decoder, row)]
        variances = [float(state.var(axis=1).mean()) for state in states]
        rates = []
        for state in states:
            apart = state - state.mean(0)
            columns = (apart / np.linalg.norm(apart, axis=1, keepdims=True)).T
            rates.append(by_definition(torch.from_numpy(columns), inner=True))
        found.append([variances, rates])
    return np.array(found)


@pytest.mark.parametrize("name", ["llama", "gpt2", "falcon-parallel"])
@pytest.mark.parametrize("skip", [0, 2])
def test_it_is_the_stream_of_the_models_own_forward(name: str, skip: int) -> None:
    decoder, rows = tiny(name), random_rows(*LENGTHS)
    found = measured(decoder, rows, batch_size=3, skip_first_tokens=skip)
    expected = by_hand(decoder, rows, skip)
    np.testing.assert_allclose(found.values, expected.mean(0), rtol=2e-5)
    errors = expected.std(0, ddof=1) / len(rows) ** 0.5
    np.testing.assert_allclose(found.standard_errors, errors, rtol=2e-4)
    assert found.measures == MEASURES == ("variance", "coding-rate")
    assert (found.sequences, found.tokens) == (4, sum(LENGTHS) - 4 * skip)
    bounds = [largest_rate(decoder.hidden_size, length - skip) for length in LENGTHS]
    assert found.bound == pytest.approx(sum(bounds) / 4)
    assert (found.values[1] < found.bound).all()


def test_a_removed_block_changes_nothing_and_a_constant_only_the_variance() -> None:
    base = base_of("llama", "block.2", rows=many_rows(6))
    decoder, units = base.decoder, base.subnetwork.units
    repairs = repairs_of(base, fit_emulated_update(EmulatedUpdateOptions(), base, Unattended()))
    corpus, options = base.corpus, StreamOptions()
    with removed(Subnetwork(decoder, units)):
        pruned = stream_measures(decoder, corpus, options, Unattended())
    assert torch.equal(pruned.values[:, 2], pruned.values[:, 3])
    with removed(Subnetwork(decoder, units, repairs)):
        emulated = stream_measures(decoder, corpus, options, Unattended())
    assert float(emulated.values[1, 3]) == pytest.approx(float(pruned.values[1, 3]), abs=1e-5)
    assert float(emulated.values[0, 3]) != pytest.approx(float(pruned.values[0, 3]), rel=1e-4)


def test_what_cannot_be_measured_is_refused_and_a_cancel_is_obeyed() -> None:
    with pytest.raises(DepthkitError, match="skipFirstTokens is 12") as nothing:
        measured(llama(), random_rows(*LENGTHS), skip_first_tokens=12)
    assert nothing.value.code == "INVALID_ARGUMENT"
    with pytest.raises(DepthkitError, match="boundary 3 ") as broken:
        measured(llama(nan_block=2), random_rows(*LENGTHS))
    assert broken.value.code == "NOT_MEASURABLE"

    class GivenUp(Unattended):
        def check(self) -> None:
            raise cancelled()

    with pytest.raises(DepthkitError, match="cancelled"):
        stream_measures(llama(), corpus_of(random_rows(*LENGTHS)), StreamOptions(), GivenUp())


def test_a_sequence_without_a_token_that_counts_is_left_out() -> None:
    decoder, rows = llama(), random_rows(12, 3, 9)
    found = measured(decoder, rows, skip_first_tokens=4)
    alone = measured(decoder, [rows[0], rows[2]], skip_first_tokens=4)
    torch.testing.assert_close(found.values, alone.values, rtol=1e-6, atol=0)
    assert (found.sequences, found.tokens, found.bound) == (2, alone.tokens, alone.bound)
