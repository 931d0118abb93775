"""What repairs make of weights: from a parameter's value to the one in its place."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

WeightChange = Callable[[Tensor], Tensor]
"""Gives a new tensor, never a change of the old one."""


class Product:
    """A weight change: the output side of a weight multiplied by T, so that y becomes y T.

    `output_first`: whether the weight is (out, in), as nn.Linear keeps it, or (in, out), as GPT-2 does; a
    bias (out,) is changed the same way in both.
    """

    def __init__(self, matrix: Tensor, output_first: bool) -> None:
        self.matrix = matrix
        """T: (hidden, hidden)"""
        self.output_first = output_first

    def __call__(self, weight: Tensor) -> Tensor:
        wide = torch.promote_types(weight.dtype, torch.float32)
        matrix = self.matrix.to(weight.device, wide)
        value = weight.to(wide)
        value = matrix.T @ value if self.output_first and value.ndim == 2 else value @ matrix
        return value.to(weight.dtype)


class Sum:
    """A weight change: W + scale B A, as LoRA merges."""

    def __init__(self, a: Tensor, b: Tensor, scale: float) -> None:
        self.a, self.b, self.scale = a, b, scale
        """A: (rank, second dimension of W), B: (first dimension of W, rank)"""

    def __call__(self, weight: Tensor) -> Tensor:
        wide = torch.promote_types(weight.dtype, torch.float32)
        change = self.b.to(weight.device, wide) @ self.a.to(weight.device, wide)
        return (weight.to(wide) + self.scale * change).to(weight.dtype)


def sum_of(down: Tensor, up: Tensor, scale: float, output_first: bool) -> Sum:
    """Of LoRA's factors, A (rank, in) and B (out, rank), for a weight (out, in), or else (in, out)."""
    a, b = (down, up) if output_first else (up.T, down.T)
    return Sum(a.contiguous(), b.contiguous(), scale)


class InTurn:
    """Two weight changes, the second of what the first gives."""

    def __init__(self, first: WeightChange, second: WeightChange) -> None:
        self.first, self.second = first, second

    def __call__(self, weight: Tensor) -> Tensor:
        return self.second(self.first(weight))


def sums_in(change: WeightChange) -> tuple[Sum, ...] | None:
    """The sums that a change consists of, in turn; None where it is anything else."""
    if isinstance(change, Sum):
        return (change,)
    if not isinstance(change, InTurn):
        return None
    first, second = sums_in(change.first), sums_in(change.second)
    return None if first is None or second is None else (*first, *second)


class Value:
    """A weight change: another value in the weight's place."""

    def __init__(self, value: Tensor) -> None:
        self.value = value
        """Of the weight's shape."""

    def __call__(self, weight: Tensor) -> Tensor:
        return self.value.to(weight.device, weight.dtype)
