"""The next-token loss as gradients are taken of it: what each position predicts, and how many positions go
through the head at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from depthkit_worker.models.decoder import Decoder

IGNORED = -100
"""In the place of a target: nothing is predicted here."""
SLICE_BYTES = {"cpu": 1 << 24, "cuda": 1 << 28}
"""fp32 logits at a time, of which a backward pass holds about six copies. On CPU a cancel waits for a
slice."""


def slice_width(decoder: Decoder, states: Tensor) -> int:
    """Positions of `states`, (batch, sequence, hidden)."""
    limit = SLICE_BYTES.get(states.device.type, SLICE_BYTES["cuda"])
    return max(1, limit // (4 * decoder.vocabulary_size * len(states)))


def next_tokens(input_ids: Tensor, lengths: Tensor) -> Tensor:
    """What each position predicts, (batch, sequence): the token behind it, or `IGNORED`. `lengths` (batch,):
    of the rows without their pads."""
    targets = input_ids.roll(-1, 1)
    positions = torch.arange(targets.shape[1])
    return targets.masked_fill(positions >= lengths[:, None] - 1, IGNORED)


def cross_entropy(logits: Tensor, total: Tensor, targets: Tensor) -> Tensor:
    """-log softmax(logits)[target], (...,); 0 where the target is `IGNORED`. `total`: the logits'
    log-sum-exp."""
    ignored = targets == IGNORED
    chosen = logits.gather(-1, targets.masked_fill(ignored, 0)[..., None]).squeeze(-1)
    return (total - chosen).masked_fill(ignored, 0.0)
