"""What training lowers, per token, in fp32 at least."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class TopLogits:
    """A distribution over the vocabulary as its likeliest tokens and one bucket of all the others."""

    ids: Tensor
    """int64 (..., top)"""
    log_probabilities: Tensor
    """fp32 (..., top). With the bucket they add up to 1."""
    rest: Tensor
    """fp32 (...): the probability of the bucket. 0 where `ids` are the whole vocabulary."""


def top_of(logits: Tensor, top: int) -> tuple[Tensor, Tensor, Tensor]:
    """The `top` largest of `logits`, (..., vocabulary), as they are stored: ids (int32), their differences to
    the largest (fp16), and the probability of all the others (fp32)."""
    wide = logits.float()
    values, ids = wide.topk(min(top, wide.shape[-1]), dim=-1)
    rest = (_others(wide, ids) - wide.logsumexp(-1)).exp()
    # fp16 ends at 65,504; the exponential of either is 0.
    differences = (values - values[..., :1]).clamp_min(-60_000)
    return ids.int(), differences.half(), rest


def restored(ids: Tensor, differences: Tensor, rest: Tensor) -> TopLogits:
    """The distribution that `top_of` stored. Rounding the differences cannot make it other than one."""
    log_probabilities = differences.float().log_softmax(-1) + torch.log1p(-rest)[..., None]
    return TopLogits(ids.long(), log_probabilities, rest)


def kl_divergence(logits: Tensor, total: Tensor, teacher: TopLogits) -> Tensor:
    """KL(P || Q) over the teacher's top tokens and the bucket of all others, (...,), for Q the softmax of
    `logits` (..., vocabulary) and `total` their log-sum-exp:

    sum over top i of p_i (log p_i - log q_i) + r (log r - log(sum of the other q)), r the teacher's bucket.
    """
    p = teacher.log_probabilities.exp()
    log_q = logits.gather(-1, teacher.ids) - total[..., None]
    divergence = (p * (teacher.log_probabilities - log_q)).sum(-1)
    if teacher.ids.shape[-1] < logits.shape[-1]:
        log_other = _others(logits, teacher.ids) - total
        divergence = divergence + torch.xlogy(teacher.rest, teacher.rest) - teacher.rest * log_other
    return divergence


def relative_error(x: Tensor, dense: Tensor) -> Tensor:
    """|x - dense|^2 / |dense|^2 of every token, (...,), for streams (..., hidden)."""
    reference = dense.float()
    square = reference.square().sum(-1).clamp_min(torch.finfo(torch.float32).tiny)
    return (x.float() - reference).square().sum(-1) / square


def _others(logits: Tensor, ids: Tensor) -> Tensor:
    """Log-sum-exp of the logits that `ids` leaves out."""
    return logits.scatter(-1, ids, -torch.inf).logsumexp(-1)
