"""What a token costs in the cache of keys and values."""

from __future__ import annotations

import inspect

import torch
from torch import nn
from transformers import DynamicCache

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.listener import Tokens
from depthkit_worker.models.units import Parts


def empty_cache() -> DynamicCache:
    """A cache for a model with units removed, or whole."""
    # One made with the configuration would give each layer number the kind of attention that the whole model
    # has there; the attentions that stay have new numbers.
    return DynamicCache()


def cache_keyword(model: nn.Module) -> str:
    """What `model.forward` calls its cache. Releases of transformers differ, and most families let a keyword
    they do not know pass without a word: nothing would be kept, and every token would be the first."""
    takes = inspect.signature(model.forward).parameters
    for name in ("cache", "past_key_values"):
        if name in takes:
            return name
    raise DepthkitError(
        "MODEL_UNSUPPORTED",
        f"{type(model).__name__} takes no cache of keys and values that this depthkit knows. Use the "
        "transformers that `npx depthkit setup` installs.",
        architecture=type(model).__name__,
    )


def kv_bytes_per_attention(decoder: Decoder) -> tuple[int, ...]:
    """Bytes that each attention keeps for a token, in the loaded dtype: of the whole model one per block, of
    a model with units removed one for each attention that is there, a replacement block's included.

    Measured on a cache of one token: families differ in what they store for a group of heads.
    """
    cache = empty_cache()
    first = torch.zeros((1, 1), dtype=torch.long, device=decoder.device)
    decoder.announce(Tokens.text(first, counted=torch.zeros_like(first, dtype=torch.bool)))
    with torch.no_grad():
        model = decoder.model.base_model
        model(input_ids=first, use_cache=True, **{cache_keyword(model): cache})
    return tuple(keys.nbytes + values.nbytes for keys, values, _ in cache)


def kv_bytes_per_block(decoder: Decoder) -> tuple[int, ...]:
    """The same of the model as it was loaded, by block: 0 where it has no attention."""
    kept = iter(kv_bytes_per_attention(decoder))
    return tuple(0 if Parts.ATTENTION in absent else next(kept) for absent in decoder.absent)


def kv_bytes_per_token(decoder: Decoder) -> int:
    """The same summed, of `decoder` as it stands; 0 where no attention is left that would keep anything."""
    return sum(kv_bytes_per_attention(decoder))
