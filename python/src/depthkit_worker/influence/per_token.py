"""The influence of units on single tokens: how far a unit moves the residual stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor

from depthkit_worker.contract.wire import InfluenceMetric, UnitKind
from depthkit_worker.models.devices import in_fp64
from depthkit_worker.models.split import BlockStates
from depthkit_worker.models.units import UNIT_KINDS

METRICS: tuple[InfluenceMetric, ...] = get_args(InfluenceMetric)


PIECE_BYTES = {"cpu": 1 << 20, "cuda": 64 << 20}
"""Of one state in fp64 at a time. On CPU what the processor's cache holds several of: 4 times as fast as all
at once."""


@dataclass(frozen=True)
class _Measured:
    """Some tokens of a state of the residual stream in fp64, which holds the square of every number the
    model's dtypes have, and takes no digits from a direction however far the norms of two states are
    apart."""

    state: Tensor
    """(tokens, hidden)"""
    direction: Tensor
    """(tokens, hidden), of length 1; 0 where the state is."""
    l1: Tensor
    """(tokens,), like `l2`."""
    l2: Tensor


def direction(state: Tensor, length: Tensor) -> Tensor:
    """`state` (..., hidden) by its `length` (...): 0 where that is."""
    return state / length.masked_fill(length == 0, 1.0).unsqueeze(-1)


def token_influences(states: BlockStates) -> Tensor:
    """Every metric of every kind of unit of one block: fp64 (kinds, metrics, batch, sequence), kinds as in
    `UNIT_KINDS`."""
    *shape, hidden = states.x_out.shape
    # The kinds share their ends; each is widened and measured once.
    flat = {id(state): state.reshape(-1, hidden) for kind in UNIT_KINDS for state in _ends(states, kind)}
    size = max(1, PIECE_BYTES.get(states.x_out.device.type, PIECE_BYTES["cuda"]) // (8 * hidden))
    pieces = []
    for first in range(0, len(flat[id(states.x_out)]), size):
        known = {name: _measured(in_fp64(state[first : first + size])) for name, state in flat.items()}
        of_kinds = [
            _influences(known[id(before)], known[id(after)])
            for before, after in (_ends(states, kind) for kind in UNIT_KINDS)
        ]
        pieces.append(torch.stack(of_kinds))
    return torch.cat(pieces, dim=-1).view(len(UNIT_KINDS), len(METRICS), *shape)


def _ends(states: BlockStates, kind: UnitKind) -> tuple[Tensor, Tensor]:
    match kind:
        case "block":
            return states.x_in, states.x_out
        case "attention":
            return states.x_in, states.attention_out
        case "feed-forward":
            return states.feed_forward_in, states.feed_forward_out


def _measured(state: Tensor) -> _Measured:
    l1, l2 = _norms(state)
    return _Measured(state, direction(state, l2), l1, l2)


def _norms(state: Tensor) -> tuple[Tensor, Tensor]:
    return torch.linalg.vector_norm(state, 1, dim=-1), torch.linalg.vector_norm(state, 2, dim=-1)


def _influences(before: _Measured, after: _Measured) -> Tensor:
    """All metrics of one unit, (metrics, tokens), from its two ends."""
    l1, l2 = _norms(after.state - before.state)
    return torch.stack(
        [_cosine_distance(before, after, l2), l1, l2, _ratio(l1, after.l1), _ratio(l2, after.l2)]
    )


def _cosine_distance(before: _Measured, after: _Measured, update: Tensor) -> Tensor:
    """1 - cos(a, b) as half the squared distance between the directions of a and b; `update` is the norm of b
    - a.

    There is no 1 - (almost 1) in it: an identity gives 0 exactly, small distances keep their digits, and how
    much longer one end is than the other changes nothing.
    """
    apart = torch.linalg.vector_norm(after.direction - before.direction, 2, dim=-1)
    # A zero vector has no direction: 0 where the unit did nothing, else as if at a right angle.
    without_direction = (before.l2 == 0) | (after.l2 == 0)
    return torch.where(without_direction, (update > 0).double(), (apart.square() / 2).clamp(max=2))


def _ratio(update: Tensor, after: Tensor) -> Tensor:
    return torch.where(update == 0, 0.0, update / after)
