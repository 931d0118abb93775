"""The residual stream at every two boundaries of blocks, compared: angular distance across spans of blocks
(Gromov et al., arXiv 2403.17887, equation 7), and cosines (arXiv 2403.19135; arXiv 2605.27786, equation
4)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from depthkit_worker.influence.per_token import direction

TOKENS_AT_ONCE = 256
"""Bounds the fp64 copies: tokens x (depth + 1) x hidden values."""


def angular_distances(states: Tensor) -> Tensor:
    """Sum over tokens of arccos(cos(x_l, x_m)) / pi for every pair of depths, fp64 (depth + 1, depth + 1).

    `states` is the residual stream at every depth, (depth + 1, tokens, hidden). In fp64, because arccos
    near 1 takes the root of a rounding error: fp32 would see 1e-4 between equal vectors.
    """
    total = _none_between(states)
    for cosines in _cosines(states):
        total += torch.arccos(cosines).sum(0)
    return total / math.pi


def cosine_sums(states: Tensor) -> Tensor:
    """Sum over tokens of cos(x_l, x_m) for every pair of depths, fp64 (depth + 1, depth + 1); `states` as
    above."""
    total = _none_between(states)
    for cosines in _cosines(states):
        total += cosines.sum(0)
    return total


def _none_between(states: Tensor) -> Tensor:
    return torch.zeros(len(states), len(states), dtype=torch.float64, device=states.device)


def _cosines(states: Tensor) -> Iterator[Tensor]:
    """Of some tokens at a time, (tokens, depth + 1, depth + 1) in fp64."""
    for first in range(0, states.shape[1], TOKENS_AT_ONCE):
        part = states[:, first : first + TOKENS_AT_ONCE].transpose(0, 1).double()
        lengths = torch.linalg.vector_norm(part, 2, dim=-1)
        directions = direction(part, lengths)
        cosines = (directions @ directions.transpose(1, 2)).clamp(-1, 1)
        # As in `cosine`: between two zero vectors nothing was done, between one and another it is a right
        # angle.
        nothing = (lengths == 0).double()
        yield cosines + nothing.unsqueeze(-1) * nothing.unsqueeze(1)


def by_span(pairs: Tensor) -> Tensor:
    """[n - 1, l] for the span of n blocks from block l, 0 where there is none: (depth, depth), from
    distances of pairs of depths (depth + 1, depth + 1)."""
    depth = pairs.shape[0] - 1
    spans = torch.zeros(depth, depth, dtype=pairs.dtype)
    for n in range(1, depth + 1):
        spans[n - 1, : depth - n + 1] = torch.diagonal(pairs, n)
    return spans
