"""Masks of which exactly as much is 0 as is to go, with a slope in the logits that they come from.

Gumbel top-k, as E3-Pruner (arXiv 2511.17205): with Gumbel noise added, the k largest logits are a draw of k
units without replacement, the likelier the larger their logits; forward the mask is 0 or 1, and backward it
has the slope of a soft one (straight through).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

ROUNDING = 1e-12
"""Sums of costs are off by it."""


@dataclass(frozen=True)
class Group:
    """Neighbouring logits of which so much goes."""

    start: int
    costs: tuple[float, ...]
    """What each costs; 1 each where units are counted."""
    amount: float
    """At least so much goes, and nothing without need: of units that are counted exactly so many."""

    @property
    def size(self) -> int:
        return len(self.costs)

    def of(self, values: Tensor) -> Tensor:
        return values[self.start : self.start + self.size]

    def meets(self, cost: float) -> bool:
        return cost >= self.amount * (1 - ROUNDING)


def gumbel(count: int, generator: torch.Generator) -> Tensor:
    """Standard Gumbel noise, fp64 (count,)."""
    uniform = torch.rand(count, dtype=torch.float64, generator=generator)
    # A uniform number may be 0; its logarithm must not be.
    return -torch.log(-torch.log(uniform.clamp(min=torch.finfo(torch.float64).tiny)))


def top_k(logits: Tensor, groups: Sequence[Group], temperature: float) -> Tensor:
    """fp64 (units,): 0 for what goes of each group, else 1: the least logits, of equal ones the first, until
    the amount is met, but for those that are not needed for it then, the greatest logit first. Its slope is
    that of sigmoid((logit - threshold) / temperature), the threshold half way between the last that was let
    go and the first that was not; where that was all of a group there is none."""
    masks = [_of_group(group.of(logits), group, temperature) for group in groups]
    return torch.cat(masks)


def _of_group(logits: Tensor, group: Group, temperature: float) -> Tensor:
    order = logits.detach().sort(stable=True)
    places = order.indices.tolist()
    let_go, cost = 0, 0.0
    while not group.meets(cost):
        cost += group.costs[places[let_go]]
        let_go += 1
    going = set(places[:let_go])
    for place in reversed(places[:let_go]):
        if group.meets(sum(group.costs[other] for other in sorted(going - {place}))):
            going.remove(place)
    hard = torch.ones_like(order.values).index_fill(0, torch.tensor(sorted(going)), 0.0)
    if let_go == len(logits):
        return hard
    threshold = (order.values[let_go - 1] + order.values[let_go]) / 2
    soft = torch.sigmoid((logits - threshold) / temperature)
    # The difference is 0 exactly, so that the mask is 0 or 1 exactly.
    return hard + (soft - soft.detach())
