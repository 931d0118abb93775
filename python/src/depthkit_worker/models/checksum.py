"""Whether weights are what they were, without keeping a copy."""

from __future__ import annotations

import torch
from torch import Tensor

from depthkit_worker.models.decoder import Decoder

WORD = 8


def weights_checksum(decoder: Decoder) -> dict[str, int]:
    """The sum of the bits of every tensor of the model, read as integers: a changed number changes it."""
    return {name: _sum_of_bits(tensor.detach()) for name, tensor in decoder.model.state_dict().items()}


def _sum_of_bits(tensor: Tensor) -> int:
    raw = tensor.contiguous().flatten().view(torch.uint8)
    whole = raw.numel() // WORD * WORD
    # Words of 64 bits add up twenty times as fast as narrower ones; a sum that overflows wraps around.
    words = raw[:whole].clone() if raw.storage_offset() % WORD else raw[:whole]
    return int(words.view(torch.int64).sum()) + int(raw[whole:].sum(dtype=torch.int64))
