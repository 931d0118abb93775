"""Masks of which exactly as many are 1 as are to stay, with a slope in the logits that they come from.

Gumbel top-k, as E3-Pruner (arXiv 2511.17205): with Gumbel noise added, the k largest logits are a draw of k
units without replacement, the likelier the larger their logits; forward the mask is 0 or 1, and backward it
has the slope of a soft one (straight through).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Group:
    """Neighbouring logits of which a fixed number goes."""

    start: int
    size: int
    remove: int

    def of(self, values: Tensor) -> Tensor:
        return values[self.start : self.start + self.size]


def gumbel(count: int, generator: torch.Generator) -> Tensor:
    """Standard Gumbel noise, fp64 (count,)."""
    uniform = torch.rand(count, dtype=torch.float64, generator=generator)
    # A uniform number may be 0; its logarithm must not be.
    return -torch.log(-torch.log(uniform.clamp(min=torch.finfo(torch.float64).tiny)))


def top_k(logits: Tensor, groups: Sequence[Group], temperature: float) -> Tensor:
    """fp64 (units,): 0 for the `remove` least logits of each group, of equal ones the first, else 1. Its
    slope is that of sigmoid((logit - threshold) / temperature), the threshold half way between the last that
    goes and the first that stays; where a whole group goes there is none."""
    masks = [_of_group(group.of(logits), group.remove, temperature) for group in groups]
    return torch.cat(masks)


def _of_group(logits: Tensor, remove: int, temperature: float) -> Tensor:
    order = logits.detach().sort(stable=True)
    hard = torch.ones_like(order.values).index_fill(0, order.indices[:remove], 0.0)
    if remove == len(logits):
        return hard
    threshold = (order.values[remove - 1] + order.values[remove]) / 2
    soft = torch.sigmoid((logits - threshold) / temperature)
    # The difference is 0 exactly, so that the mask is 0 or 1 exactly.
    return hard + (soft - soft.detach())
