"""LinearPatch and the Hadamard matrices it turns the stream by."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import LlamaConfig

from depthkit_worker.contract.wire import PatchOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import Linear
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.repair.hadamard import hadamard
from depthkit_worker.repair.patch import fit_patch
from depthkit_worker.session.job import Unattended
from influence.builders import llama
from repair.builders import base_of, block_states, gap_states, repairs_of
from tiny import SHAPE, random_model

# 12, 20 and 44 are of the first construction, 28 and 36 of the second.
ORDERS = (1, 2, 4, 12, 20, 28, 36, 44, 60, 64, 400, 576, 768, 896, 960)


@pytest.mark.parametrize("order", ORDERS)
def test_rows_stand_at_right_angles(order: int) -> None:
    H = hadamard(order)
    assert bool((H.abs() == 1).all())
    assert torch.equal(H @ H.T, order * torch.eye(order, dtype=torch.float64))


@pytest.mark.parametrize("order", [1152, 1408, 1536, 1600, 2048, 2304, 2560, 2880, 3072, 3584, 4096])
def test_hidden_sizes_in_use_have_one(order: int) -> None:
    H = hadamard(order)
    rows = torch.randperm(order, generator=torch.Generator().manual_seed(0))[:64]
    products = H[rows] @ H.T
    expected = torch.zeros_like(products)
    expected[torch.arange(64), rows] = order
    assert torch.equal(products, expected)


@pytest.mark.parametrize("order", [0, 3, 6, 92, 30])
def test_an_order_that_is_not_known_is_refused(order: int) -> None:
    with pytest.raises(DepthkitError, match=f"order {order} is known") as caught:
        hadamard(order)
    assert caught.value.code == "INVALID_ARGUMENT"


def fit(base: Base) -> Fitted:
    return fit_patch(PatchOptions(), lambda _: None, base, Unattended())


@pytest.mark.parametrize("unit", ["block.2", "attention.2", "feed-forward.2"])
@pytest.mark.parametrize("family", ["llama", "gpt_neox-parallel", "gemma2"])
def test_it_scales_every_turned_direction_to_its_size_behind_the_gap(family: str, unit: str) -> None:
    base = base_of(family, unit, skip=1)
    fitted = fit(base)
    (edit,) = fitted.fills[0].edits.values()
    (module,) = (each for each in (edit.before, edit.beside, edit.after) if each is not None)
    assert isinstance(module, Linear) and module.bias is None
    x_in, x_out = gap_states(base, Unit.parse(unit))
    H = hadamard(32).numpy() / np.sqrt(32)
    s = np.abs(x_out @ H).mean(0) / np.abs(x_in @ H).mean(0)
    patch = H @ np.diag(s) @ H.T
    np.testing.assert_allclose(module.matrix.numpy() + np.eye(32), patch, atol=1e-5)
    error = np.square(x_in @ patch - x_out).sum() / np.square(x_out - x_in).sum()
    assert fitted.gaps[0].repaired_error == pytest.approx(error, rel=1e-4)


def test_the_patched_stream_is_what_comes_out_of_the_gap() -> None:
    base = base_of("llama", "block.2", "block.3")
    fitted = fit(base)
    x_in, x_out = block_states(base, 2, 3)
    front, behind = block_states(base, 2, 3, base.subnetwork.units, repairs_of(base, fitted))
    np.testing.assert_allclose(front, x_in, atol=1e-6)
    error = np.square(behind - x_out).sum() / np.square(x_out - x_in).sum()
    assert fitted.gaps[0].repaired_error == pytest.approx(error, rel=1e-4)


def test_a_gap_that_changes_nothing_is_patched_by_the_identity() -> None:
    (fill,) = fit(base_of(llama(identity=(2,)), "block.2")).fills
    module = fill.edits[2].beside
    assert isinstance(module, Linear)
    torch.testing.assert_close(module.matrix, torch.zeros(32, 32), atol=1e-6, rtol=0)


def test_a_hidden_size_without_such_a_matrix_is_refused() -> None:
    config = LlamaConfig(**{**SHAPE, "hidden_size": 92, "head_dim": 8})
    with pytest.raises(DepthkitError, match="order 92"):
        fit(base_of(Decoder(random_model(config)), "block.2"))
