"""Linear layers by oneDNN, which is tested wherever it is installed, whether it is the faster one or not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from depthkit_worker.models import onednn
from depthkit_worker.models.onednn import OneDnnLinear, linear, rounded, use_onednn
from tiny import t_llama

SHAPES = [(1, 1, 1), (1, 40, 24), (3, 40, 24), (17, 5, 7), (129, 64, 33), (300, 576, 192)]


def some(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("rows", "inputs", "outputs"), SHAPES)
def test_the_product_is_that_of_fp64_within_rounding(
    rows: int, inputs: int, outputs: int, bias: bool
) -> None:
    states, weight = some(2, rows, inputs), some(outputs, inputs)
    added = some(outputs) if bias else None
    exact = nn.functional.linear(states.double(), weight.double(), None if added is None else added.double())
    size = nn.functional.linear(states.abs().double(), weight.abs().double()) + 4
    got = linear(states, weight, added)
    assert got.shape == exact.shape and got.is_contiguous()
    assert float(((got - exact).abs() / size).max()) < 1e-6


@pytest.mark.parametrize("rows", [2, 5, 16, 31, 64, 127, 200])
def test_rows_of_zeros_below_change_no_bit(rows: int) -> None:
    states, weight = some(200, 576), some(192, 576)
    assert torch.equal(linear(states, weight, None)[:rows], linear(states[:rows], weight, None))


def test_a_column_is_the_same_bits_whatever_the_others() -> None:
    states, weight = some(100, 64), some(1000, 64)
    assert torch.equal(linear(states, weight, None)[:, 300:700], linear(states, weight[300:700], None))


@pytest.mark.parametrize(("rows", "inputs", "outputs"), SHAPES)
def test_gradients_are_those_of_torch(rows: int, inputs: int, outputs: int) -> None:
    given = [some(2, rows, inputs), some(outputs, inputs), some(outputs)]
    for one in given:
        one.requires_grad_()
    along = some(2, rows, outputs)
    expected = torch.autograd.grad(nn.functional.linear(*given), given, along)
    got = torch.autograd.grad(linear(*given), given, along)
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_what_comes_out_may_be_changed_in_place() -> None:
    states, weight = some(2, 3, 8).requires_grad_(), some(5, 8)
    linear(states, weight, None).clamp_(min=0).sum().backward()  # type: ignore[no-untyped-call]
    (expected,) = torch.autograd.grad(nn.functional.linear(states, weight).clamp(min=0).sum(), states)
    assert states.grad is not None
    torch.testing.assert_close(states.grad, expected)


def test_what_asks_for_no_gradient_gets_none() -> None:
    states = some(3, 8).requires_grad_()
    weight = some(5, 8)
    linear(states, weight, None).sum().backward()  # type: ignore[no-untyped-call]
    assert states.grad is not None and weight.grad is None


def test_what_is_not_finite_spreads_over_its_row_and_no_further() -> None:
    states, weight = some(20, 64), some(30, 64)
    states[3, 5], states[7, 1] = float("nan"), float("inf")
    got, expected = linear(states, weight, None), nn.functional.linear(states, weight)
    assert torch.equal(got.isfinite(), expected.isfinite())
    assert got[3].isnan().all()


def test_all_else_is_left_to_torch() -> None:
    states, weight = some(4, 8), some(3, 8)
    for kind in (torch.float64, torch.bfloat16):
        ours, theirs = (by(states.to(kind), weight.to(kind), None) for by in (linear, nn.functional.linear))
        assert ours.dtype == kind and torch.equal(ours, theirs)
    assert linear(states[0], weight, None).shape == (3,)
    assert linear(states[:0], weight, None).shape == (0, 3)
    with torch.autocast("cpu", torch.bfloat16):
        assert linear(states, weight, None).dtype == torch.bfloat16


def test_few_numbers_of_rows_are_multiplied() -> None:
    counts = {rounded(rows) for rows in range(1, 32_769)}
    assert all(rows <= rounded(rows) < 2 * rows for rows in range(1, 32_769))
    assert all(rounded(rows) <= rows * 1.25 for rows in range(128, 32_769))
    assert len(counts) <= 50
    assert all(rounded(count) == count for count in counts)


def test_a_models_layers_change_where_that_is_faster_and_only_there(monkeypatch: pytest.MonkeyPatch) -> None:
    model = t_llama()
    names = [name for name, module in model.named_modules() if type(module) is nn.Linear]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    ids = torch.arange(12).view(2, 6)
    expected = model(ids).logits

    monkeypatch.setattr(onednn, "slow_float32_products", lambda: False)
    use_onednn(model)
    assert not any(isinstance(module, OneDnnLinear) for module in model.modules())

    monkeypatch.setattr(onednn, "slow_float32_products", lambda: True)
    use_onednn(model)
    assert [name for name, one in model.named_modules() if isinstance(one, OneDnnLinear)] == names != []
    torch.testing.assert_close(model(ids).logits, expected, rtol=1e-5, atol=1e-5)
    after = model.state_dict()
    assert list(after) == list(before) and all(torch.equal(after[name], before[name]) for name in before)

    lower = t_llama(dtype=torch.bfloat16)
    use_onednn(lower)
    assert not any(isinstance(module, OneDnnLinear) for module in lower.modules())


@pytest.mark.parametrize(
    ("name", "avx512", "expected"),
    [
        ("AMD EPYC", True, True),
        ("AMD EPYC", False, False),
        ("Intel(R) Xeon(R)", True, False),
        ("", True, False),
    ],
)
def test_the_processors_it_is_for(
    monkeypatch: pytest.MonkeyPatch, name: str, avx512: bool, expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": name, "avx512_f": avx512})
    assert onednn.slow_float32_products() == (expected and torch._C._has_mkldnn and torch._C.has_mkl)
