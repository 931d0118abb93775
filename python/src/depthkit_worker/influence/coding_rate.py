"""How many directions some vectors take up: the coding rate, arXiv 2407.03106."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from depthkit_worker.influence.per_token import direction

EPS = 0.5
"""The paper's: how exactly the vectors are to be told."""


def coding_rate(columns: Tensor) -> Tensor:
    """1/2 ln det(I + d / (m eps) W W') in nats for each W of `columns`, fp64 (..., d, m), m vectors of d
    numbers; by the smaller of W W' and W' W, whose determinants are the same."""
    size, count = columns.shape[-2:]
    other = columns.transpose(-1, -2)
    gram = columns @ other if size <= count else other @ columns
    identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    # Above the identity, so that there is always a factor where the vectors are finite.
    factor, failed = torch.linalg.cholesky_ex(identity + (size / (count * EPS)) * gram)
    rate: Tensor = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return rate.masked_fill(failed != 0, torch.nan)


def centred(vectors: Tensor) -> Tensor:
    """`vectors` (..., m, d) less their mean, each then of length 1 (0 where nothing is left of it): W."""
    apart = vectors - vectors.mean(-2, keepdim=True)
    return direction(apart, torch.linalg.vector_norm(apart, 2, dim=-1)).transpose(-1, -2)


def largest_rate(size: int, count: int) -> float:
    """The rate of `count` vectors of length 1 that lie as far apart as `size` dimensions let them."""
    rank = min(size, count)
    return rank / 2 * math.log1p(size / (EPS * rank))
