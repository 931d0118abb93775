"""What repairs add: modules from the residual stream to what is added to it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from depthkit_worker.contract.wire import AdapterInput

# `kind` is an update's name in saved repairs, in checkpoints and in messages.


def root_mean_square_norm(x: Tensor, eps: float) -> Tensor:
    """x by the root of its mean square, over the last dimension; sums in fp32 at least."""
    wide = x.float() if x.dtype.itemsize < 4 else x
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)).to(x.dtype)


class Constant(nn.Module):
    """The same vector at every token: an emulated update or a trained bias."""

    kind = "constant"

    def __init__(self, vector: Tensor) -> None:
        super().__init__()
        self.vector = nn.Parameter(vector, requires_grad=False)
        """(hidden,)"""

    def forward(self, x: Tensor) -> Tensor:
        return self.vector.expand_as(x)


class LowRank(nn.Module):
    """norm(x) V U + b, norm the stream divided by its root mean square, or x itself where `input` is raw.

    No norm weight: it is a factor of V's rows.
    """

    kind = "low-rank"

    def __init__(
        self, down: Tensor, up: Tensor, bias: Tensor | None, reads: AdapterInput, eps: float
    ) -> None:
        super().__init__()
        self.down = nn.Parameter(down, requires_grad=False)
        """V: (hidden, rank)"""
        self.up = nn.Parameter(up, requires_grad=False)
        """U: (rank, hidden)"""
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
        """b: (hidden,); None: 0, and not trained."""
        self.reads: AdapterInput = reads
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        z = root_mean_square_norm(x, self.eps) if self.reads == "normed" else x
        update: Tensor = z @ self.down @ self.up
        return update if self.bias is None else update + self.bias


class Linear(nn.Module):
    """x M + b on the raw stream: a patch P is M = P - I."""

    kind = "linear"

    def __init__(self, matrix: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix, requires_grad=False)
        """M: (hidden, hidden)"""
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        update: Tensor = x @ self.matrix
        return update if self.bias is None else update + self.bias


class Scale(nn.Module):
    """x (s - 1): the stream becomes s x. No parameter; exports fold s into the weights above."""

    kind = "scale"

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor
        """s, above 0."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (self.factor - 1)


class FeedForward(nn.Module):
    """relu(x A + a) B + b in the stream's place: what is added is that less x."""

    kind = "feed-forward"

    def __init__(self, up: Tensor, up_bias: Tensor, down: Tensor, down_bias: Tensor) -> None:
        super().__init__()
        self.up = nn.Parameter(up, requires_grad=False)
        """A: (hidden, width)"""
        self.up_bias = nn.Parameter(up_bias, requires_grad=False)
        self.down = nn.Parameter(down, requires_grad=False)
        """B: (width, hidden)"""
        self.down_bias = nn.Parameter(down_bias, requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = (x @ self.up + self.up_bias).relu() @ self.down + self.down_bias
        return made - x


class SwiGlu(nn.Module):
    """(silu(x G) * (x A)) B in the stream's place: what is added is that less x."""

    kind = "swiglu"

    def __init__(self, gate: Tensor, up: Tensor, down: Tensor) -> None:
        super().__init__()
        self.gate = nn.Parameter(gate, requires_grad=False)
        """G: (hidden, width)"""
        self.up = nn.Parameter(up, requires_grad=False)
        """A: (hidden, width)"""
        self.down = nn.Parameter(down, requires_grad=False)
        """B: (width, hidden)"""

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = (nn.functional.silu(x @ self.gate) * (x @ self.up)) @ self.down
        return made - x
