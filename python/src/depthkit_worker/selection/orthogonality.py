"""How far the directions that low-rank changes read are from a right angle to each other.

That updates learned beside gates are held to orthogonality is an idea of PAT (arXiv 2408.14721). Here the
rows of A are held to right angles and one length, whatever that is; B scales.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from depthkit_worker.repair.adapters import Adapter


def departure(down: Tensor) -> Tensor:
    """|| r A A' / tr(A A') - I ||^2 / r of A (r, in) in fp32: 0 where its rows are at right angles and of one
    length, r - 1 where they are all the same."""
    rank = down.shape[0]
    gram = down.float() @ down.float().T
    identity = torch.eye(rank, device=down.device)
    return (rank * gram / gram.diagonal().sum() - identity).square().sum() / rank


@torch.no_grad()
def mean_departure(adapters: Sequence[Adapter]) -> float:
    return float(torch.stack([departure(one.parameters["down"]).cpu() for one in adapters]).mean())


def pulls(adapters: Sequence[Adapter], weight: float) -> dict[nn.Parameter, Tensor]:
    """The gradient of `weight` times the mean departure, of each A."""
    found = {}
    for adapter in adapters:
        down = adapter.parameters["down"]
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(departure(down), down)
        found[down] = slope * (weight / len(adapters))
    return found
