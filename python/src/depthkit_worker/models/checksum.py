"""Whether weights are what they were, without keeping a copy."""

from __future__ import annotations

import torch

from depthkit_worker.models.decoder import Decoder

WORDS = {8: torch.int64, 4: torch.int32, 2: torch.int16, 1: torch.int8}


def weights_checksum(decoder: Decoder) -> dict[str, int]:
    """The sum of the bits of every tensor of the model, read as integers: a changed number changes it."""
    return {
        name: int(tensor.detach().contiguous().view(WORDS[tensor.dtype.itemsize]).sum(dtype=torch.int64))
        for name, tensor in decoder.model.state_dict().items()
        if tensor.dtype is not torch.bool
    }
