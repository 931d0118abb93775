"""The influence of units on single tokens: how far a unit moves the residual stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from depthkit_worker.contract.wire import InfluenceMetric, UnitKind
from depthkit_worker.models.split import BlockStates
from depthkit_worker.models.units import UNIT_KINDS

METRICS: tuple[InfluenceMetric, ...] = get_args(InfluenceMetric)


@dataclass(frozen=True)
class Norms:
    """L1 and L2 norms over the hidden dimension, both fp32 (batch, sequence)."""

    l1: Tensor
    l2: Tensor


def norms(states: Tensor) -> Norms:
    """Norms of fp32 `states` (batch, sequence, hidden)."""
    return Norms(torch.linalg.vector_norm(states, 1, dim=-1), torch.linalg.vector_norm(states, 2, dim=-1))


def token_influences(states: BlockStates, of_x_in: Norms) -> tuple[Tensor, Norms]:
    """Every metric of every kind of unit of one block: fp32 (kinds, metrics, batch, sequence), kinds as in
    `UNIT_KINDS`; and the norms of x_out, which are those of the next block's x_in.

    The kinds share their states, so each state is widened and measured once.
    """
    wide: dict[int, Tensor] = {}
    measured: dict[int, Norms] = {id(states.x_in): of_x_in}

    def widened(state: Tensor) -> Tensor:
        if id(state) not in wide:
            wide[id(state)] = state.float()
        return wide[id(state)]

    def measure(state: Tensor) -> Norms:
        if id(state) not in measured:
            measured[id(state)] = norms(widened(state))
        return measured[id(state)]

    ends: dict[UnitKind, tuple[Tensor, Tensor]] = {
        "block": (states.x_in, states.x_out),
        "attention": (states.x_in, states.attention_out),
        "feed-forward": (states.feed_forward_in, states.feed_forward_out),
    }
    influences = [
        _influences(measure(before), measure(after), norms(widened(after) - widened(before)))
        for before, after in (ends[kind] for kind in UNIT_KINDS)
    ]
    return torch.stack(influences), measure(states.x_out)


def _influences(before: Norms, after: Norms, update: Norms) -> Tensor:
    """All metrics of one unit, (metrics, batch, sequence), from the norms of its two ends and its update."""
    return torch.stack(
        [
            _cosine_distance(before.l2, after.l2, update.l2),
            update.l1,
            update.l2,
            _ratio(update.l1, after.l1),
            _ratio(update.l2, after.l2),
        ]
    )


def _cosine_distance(before: Tensor, after: Tensor, update: Tensor) -> Tensor:
    """1 - cos(a, b) from the norms of a, b and b - a, by the law of cosines.

    (|b - a|^2 - (|b| - |a|)^2) / (2 |a| |b|) has no 1 - (almost 1) in it: an identity gives 0 exactly, and
    small distances keep their digits in fp32.
    """
    difference = after - before
    # Factored, so that no square overflows. Rounding may leave a hair below 0.
    distance = ((update - difference) / before) * ((update + difference) / after) / 2
    # A zero vector has no direction: 0 where the unit did nothing, else as if at a right angle.
    without_direction = (before == 0) | (after == 0)
    return torch.where(without_direction, (update > 0).float(), distance.clamp(min=0))


def _ratio(update: Tensor, after: Tensor) -> Tensor:
    return torch.where(update == 0, 0.0, update / after)
