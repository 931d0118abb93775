"""A full disk, told as that."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError

from depthkit_worker.disk_full import disk_full
from depthkit_worker.errors import DepthkitError


@contextmanager
def told_when_full(doing: str) -> Iterator[None]:
    """Around the making of what appears whole or not at all: a disk that is full is told as that. `doing`:
    "Writing TARGET"."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        if (why := disk_full(error)) is None:
            raise
        raise DepthkitError("DISK_FULL", f"{doing} failed: {why}. Nothing is left of it.") from error
