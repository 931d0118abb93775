"""How many positions of a batch go through the head at a time."""

from __future__ import annotations

from torch import Tensor

from depthkit_worker.models.decoder import Decoder

SLICE_BYTES = {"cpu": 1 << 24, "cuda": 1 << 28}
"""fp32 logits at a time, of which training holds about six copies. On CPU a cancel waits for a slice."""


def slice_width(decoder: Decoder, states: Tensor) -> int:
    """Positions of `states`, (batch, sequence, hidden)."""
    limit = SLICE_BYTES.get(states.device.type, SLICE_BYTES["cuda"])
    return max(1, limit // (4 * decoder.vocabulary_size * len(states)))
