"""What a token costs in the cache of keys and values."""

from __future__ import annotations

import torch
from transformers import DynamicCache

from depthkit_worker.models.decoder import Decoder


def kv_bytes_per_attention(decoder: Decoder) -> tuple[int, ...]:
    """Bytes that each attention keeps for a token, in the loaded dtype: of the whole model one a block, of a
    model with units removed one for each attention that is there, a replacement block's included.

    Measured on a cache of one token: families differ in what they store for a group of heads.
    """
    # A cache made with the configuration would give each layer number the kind of attention that the
    # whole model has there; the attentions that stay have new numbers.
    cache = DynamicCache()
    first = torch.zeros((1, 1), dtype=torch.long, device=decoder.device)
    with torch.no_grad():
        decoder.model.base_model(input_ids=first, cache=cache, use_cache=True)
    return tuple(keys.nbytes + values.nbytes for keys, values, _ in cache)


def kv_bytes_per_token(decoder: Decoder) -> int:
    """The same summed, of `decoder` as it stands; 0 where no attention is left that would keep anything."""
    return sum(kv_bytes_per_attention(decoder))
