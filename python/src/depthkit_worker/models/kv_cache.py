"""What a token costs in the cache of keys and values."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from transformers import DynamicCache

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Parts, Unit, removed_parts


def kv_bytes_per_block(decoder: Decoder) -> tuple[int, ...]:
    """Bytes that each block of the whole model keeps for a token, in the loaded dtype.

    Measured on a cache of one token: families differ in what they store for a group of heads.
    """
    cache = DynamicCache()
    first = torch.zeros((1, 1), dtype=torch.long, device=decoder.device)
    with torch.no_grad():
        decoder.model.base_model(input_ids=first, cache=cache, use_cache=True)
    return tuple(keys.nbytes + values.nbytes for keys, values, _ in cache)


def kv_bytes_per_token(decoder: Decoder, units: Iterable[Unit]) -> int:
    """The same summed over the attentions that stay when `units` are removed."""
    parts = removed_parts(units, decoder.depth)
    blocks = zip(kv_bytes_per_block(decoder), parts, strict=True)
    return sum(size for size, lost in blocks if Parts.ATTENTION not in lost)
