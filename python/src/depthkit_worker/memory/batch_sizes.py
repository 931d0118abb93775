"""How many rows run at a time, so that they fit into memory and are worth it."""

from __future__ import annotations

import torch

from depthkit_worker.data.corpus import Corpus
from depthkit_worker.models.decoder import Decoder

CPU_BYTES = 1 << 30
CPU_TOKENS = 512
"""A batch that keeps two to eight cores busy; larger ones leave the cache (docs/engine.md)."""
GPU_TOKENS = 32_768
"""From here on a GPU gains little (docs/engine.md)."""
STACKED_TOKENS = GPU_TOKENS // 4
"""Below so many a batch is little text for a GPU: several states go through a block together."""
GPU_SHARE = 0.8
"""Of the memory that is free beside the model."""
BLOCK_STATES = 12
"""States of the residual stream, or as large, that live inside a block besides its feed-forward's."""
FEED_FORWARD_STATES = 3


def bytes_per_token(decoder: Decoder, states: int) -> int:
    """Memory an evaluation takes for every token of a batch when it keeps `states` states."""
    intermediate = getattr(decoder.config, "intermediate_size", None) or 4 * decoder.hidden_size
    numbers = (states + BLOCK_STATES) * decoder.hidden_size + FEED_FORWARD_STATES * int(intermediate)
    return numbers * decoder.dtype.itemsize


def fitting_rows(decoder: Decoder, length: int, states: int, budget: int | None) -> int:
    """Rows of `length` tokens per batch, so that what is kept fits `budget` bytes; None: what the device
    has."""
    cpu = decoder.device.type == "cpu"
    tokens = CPU_TOKENS if cpu else GPU_TOKENS
    if budget is None:
        budget = CPU_BYTES if cpu else min(map(_free_bytes, decoder.devices))
    fitting = budget // (length * bytes_per_token(decoder, states))
    return max(1, min(fitting, -(-tokens // length)))


def stacked_states(decoder: Decoder, tokens: int, kept: int, budget: int | None) -> int:
    """States of a batch of `tokens` tokens that go through a block together, where up to `kept` of them
    have to be kept for that; 1: one by one. Over several devices the states of one level are not on one."""
    if decoder.device.type != "cuda" or len(decoder.devices) > 1 or tokens > STACKED_TOKENS:
        return 1
    state = tokens * decoder.hidden_size * decoder.dtype.itemsize
    needed = kept * state + GPU_TOKENS * bytes_per_token(decoder, 0)
    fits = needed <= (_free_bytes(decoder.device) if budget is None else budget)
    return GPU_TOKENS // tokens if fits else 1


def batch_sequences(decoder: Decoder, corpus: Corpus, states: int, budget: int | None) -> int:
    """`fitting_rows` of a corpus, and no more than it has."""
    return min(fitting_rows(decoder, corpus.length, states, budget), corpus.sequences)


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * GPU_SHARE)
    return CPU_BYTES
