"""What is kept of one model's logits, tile by tile of the vocabulary, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from depthkit_worker.models.devices import in_fp64


@dataclass(frozen=True)
class Sums:
    """Of logits y, (rows, vocabulary); z are the dense model's. Each (tiles, rows) fp32 unless it says
    otherwise, None where nobody asks."""

    highest: Tensor | None = None
    exponentials: Tensor | None = None
    """The sum of exp(y - highest)."""
    target: Tensor | None = None
    """The targets' logits, (targets,)."""
    best: Tensor | None = None
    """The token of the highest logit of all, the lowest of equal ones: int64 (rows,)."""
    differences: Tensor | None = None
    """The sum of exp(z - highest of z) (z - y)."""
    squares: Tensor | None = None
    """The sum of (z - y)^2."""

    def log_sum(self) -> Tensor:
        """log sum exp(y) over the vocabulary: fp64 (rows,)."""
        assert self.highest is not None and self.exponentials is not None
        top = self.highest.amax(0)
        total = in_fp64((self.highest - top).exp_().mul_(self.exponentials)).sum(0)
        return in_fp64(top) + total.log()


def divergence(sums: Sums, dense: Sums, log_sum: Tensor) -> Tensor:
    """KL divergence from the dense model, in nats: fp64 (rows,). `log_sum`: that of `sums`."""
    assert sums.differences is not None and dense.highest is not None
    dense_log_sum = dense.log_sum()
    # Turns a tile's exponentials into probabilities.
    scale = (in_fp64(dense.highest) - dense_log_sum).exp()
    return (scale * in_fp64(sums.differences)).sum(0) - dense_log_sum + log_sum
