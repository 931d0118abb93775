"""What becomes of memory that is given back."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""glibc's names for two settings of its allocator."""
KEPT_BYTES = 1 << 30


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


def release(device: torch.device) -> None:
    """Give back what a failed piece of work or a model that is no longer held left behind, cycles too."""
    gc.collect()
    give_back(device)


def give_back(device: torch.device) -> None:
    """To the system, or the device, what the allocator keeps of freed tensors."""
    if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "malloc_trim"):
        ctypes.CDLL(None).malloc_trim(0)
    if device.type == "cuda":
        torch.cuda.empty_cache()
