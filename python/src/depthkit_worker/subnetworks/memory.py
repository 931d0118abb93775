"""How much runs at a time, and what to do when that was too much."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from depthkit_worker.data.corpus import Corpus
from depthkit_worker.models.decoder import Decoder

CPU_BYTES = 1 << 30
CPU_TOKENS = 512
"""A batch that keeps two to eight cores busy; larger ones leave the cache (docs/engine.md)."""
GPU_TOKENS = 32_768
"""From here on a GPU gains little (docs/engine.md)."""
GPU_SHARE = 0.8
"""Of the memory that is free beside the model."""
BLOCK_STATES = 12
"""States of the residual stream, or as large, that live inside a block besides its feed-forward's."""
FEED_FORWARD_STATES = 3
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""glibc's names for two settings of its allocator."""
KEPT_BYTES = 1 << 30


def bytes_per_token(decoder: Decoder, states: int) -> int:
    """Memory an evaluation takes for every token of a batch when it keeps `states` states."""
    intermediate = getattr(decoder.config, "intermediate_size", None) or 4 * decoder.hidden_size
    numbers = (states + BLOCK_STATES) * decoder.hidden_size + FEED_FORWARD_STATES * int(intermediate)
    return numbers * decoder.dtype.itemsize


def fitting_rows(decoder: Decoder, length: int, states: int, budget: int | None) -> int:
    """Rows of `length` tokens a batch, so that what is kept fits `budget` bytes (None: what the device has)."""
    cpu = decoder.device.type == "cpu"
    tokens = CPU_TOKENS if cpu else GPU_TOKENS
    if budget is None:
        budget = CPU_BYTES if cpu else _free_bytes(decoder.device)
    fitting = budget // (length * bytes_per_token(decoder, states))
    return max(1, min(fitting, -(-tokens // length)))


def batch_sequences(decoder: Decoder, corpus: Corpus, states: int, budget: int | None) -> int:
    """`fitting_rows` of a corpus, and no more than it has."""
    return min(fitting_rows(decoder, corpus.length, states, budget), corpus.sequences)


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0] * GPU_SHARE)
    return CPU_BYTES


@contextmanager
def freed_memory_kept(device: torch.device) -> Iterator[None]:
    """Inside, memory that tensors give back stays with the process, for the next tensor.

    glibc returns large blocks to the system as soon as they are freed, and every block of the model then
    touches thousands of new pages: a fifth of its time on CPU (docs/engine.md). GPUs have PyTorch's cache.
    """
    library = ctypes.CDLL(None) if device.type == "cpu" and sys.platform == "linux" else None
    if library is None or not hasattr(library, "mallopt"):  # another C library
        yield
        return
    library.mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
    library.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    try:
        yield
    finally:
        # The highest values glibc takes by itself when it adapts; it does not go back to adapting.
        library.mallopt(M_MMAP_THRESHOLD, 32 << 20)
        library.mallopt(M_TRIM_THRESHOLD, 64 << 20)
        library.malloc_trim(0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that an allocation failed. On CPU PyTorch has no class for it."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return any(part in text for part in ("can't allocate memory", "not enough memory", "could not create a memory"))


def release(device: torch.device) -> None:
    """Give back what a failed piece left behind."""
    gc.collect()
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)
    if device.type == "cuda":
        torch.cuda.empty_cache()
