"""How a failed allocation is told from other errors. Imported before the handshake: nothing heavy here."""

from __future__ import annotations

import errno
import sys

TEXTS = (
    "out of memory",  # CUDA and MPS
    "_status_alloc_failed",  # CUDA's libraries: CUBLAS_STATUS_ALLOC_FAILED and the like
    "can't allocate memory",  # PyTorch on CPU, which has no class for it
    "not enough memory",  # the same on Windows
    "could not create a memory",  # oneDNN
    "cannot allocate memory",  # the system, such as for a mapped file
    "bad_alloc",  # C++
)
"""In lower case, what a RuntimeError says where an allocation failed."""
NO_CODE = "could not create a primitive"
"""All that it says where oneDNN has no memory for its code. Of what it cannot compute it says more."""


def is_out_of_memory(error: BaseException) -> bool:
    # Another thread may be in the middle of importing torch, which then has no such name yet.
    device_error = getattr(sys.modules.get("torch"), "OutOfMemoryError", MemoryError)
    if isinstance(error, MemoryError | device_error):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    text = str(error).lower()
    return isinstance(error, RuntimeError) and (text == NO_CODE or any(part in text for part in TEXTS))
