"""Linear layers by oneDNN, on processors where PyTorch's own products in float32 are the slower ones.

PyTorch multiplies float32 by MKL, and MKL runs on AMD's processors as if they had no AVX512. oneDNN, which
comes with PyTorch as well, takes 0.45 of the time there. Both add up in float32, in another order.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

CPU = torch.device("cpu")
LEAST_STEP = 32


def slow_float32_products() -> bool:
    """Whether oneDNN's products in float32 are the faster ones on this machine's processor."""
    processor = torch.cpu.get_capabilities()
    return bool(
        torch._C._has_mkldnn
        and torch._C.has_mkl
        and processor.get("avx512_f")
        and str(processor.get("cpu_name")).startswith("AMD")
    )


def use_onednn(model: nn.Module) -> None:
    """Have the linear layers of `model` that lie on the CPU in float32 multiply by oneDNN, if that is faster.

    The class of their modules changes, to one that is an `nn.Linear` still; parameters stay as they are."""
    if not slow_float32_products():
        return
    for module in model.modules():
        if type(module) is nn.Linear and _fits(module.weight):
            module.__class__ = OneDnnLinear


class OneDnnLinear(nn.Linear):
    """An `nn.Linear` that multiplies by oneDNN, forwards and backwards."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name for it
        return linear(input, self.weight, self.bias)


def linear(states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """`torch.nn.functional.linear` of states (..., inputs) and weight (outputs, inputs), by oneDNN where it
    can be."""
    if (
        not _fits(weight)
        or states.dtype != torch.float32
        or states.dim() < 2
        or not states.numel()
        or torch.is_autocast_enabled("cpu")  # It casts what PyTorch's own products are given, and no others.
    ):
        return nn.functional.linear(states, weight, bias)
    given = [one for one in (states, weight, bias) if one is not None]
    if torch.is_grad_enabled() and any(one.requires_grad for one in given):
        result: Tensor = _Linear.apply(states, weight, bias)  # type: ignore[no-untyped-call]
        return result
    return _product(states, weight, bias)


def _fits(weight: Tensor) -> bool:
    return weight.device == CPU and weight.dtype == torch.float32


def _product(states: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """states @ weight.T + bias"""
    rows = states.reshape(-1, states.shape[-1])
    product = _matrix_product(_padded(rows), weight, bias)
    # As PyTorch's own linear does it: a view could not be changed in place where gradients are taken.
    result: Tensor = torch.ops.aten._unsafe_view(product[: len(rows)], [*states.shape[:-1], len(weight)])
    return result


def _matrix_product(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(rows, weight, bias, "none", [], "")
    return product


def _padded(rows: Tensor) -> Tensor:
    """`rows` with rows of zeros below, up to a number that many numbers share.

    oneDNN writes 0.6 MB of machine code for every shape and keeps it. Of two rows or more, each is the same
    bits whatever the others."""
    missing = rounded(len(rows)) - len(rows)
    return nn.functional.pad(rows, (0, 0, 0, missing)) if missing else rows


def rounded(rows: int) -> int:
    """The next power of two below 32, the next multiple of 32 below 256, else at most a quarter more."""
    octave = 1 << (rows - 1).bit_length() >> 1
    step = octave if octave < LEAST_STEP else max(LEAST_STEP, octave // 4)
    return -(-rows // max(step, 1)) * max(step, 1)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(states, weight)
        return _product(states, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        states, weight = ctx.saved_tensors
        to_states, to_weight, to_bias = ctx.needs_input_grad
        rows = gradient.reshape(-1, gradient.shape[-1])
        return (
            _product(gradient, weight.t()) if to_states else None,
            _matrix_product(_padded(rows).t(), _padded(states.reshape(-1, states.shape[-1])).t())
            if to_weight
            else None,
            rows.sum(0) if to_bias else None,
        )
