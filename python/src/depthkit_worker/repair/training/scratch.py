"""A folder for what is too large for memory and of no use afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from depthkit_worker.disk_full import disk_full
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.partial_folders import partial_folder


@contextmanager
def scratch_folder(parent: Path, name: str, needed_bytes: int) -> Iterator[Path]:
    """A folder under `parent` that is gone afterwards, whatever happens; what killed processes left there
    goes too."""
    with ExitStack() as afterwards:
        try:
            folder = afterwards.enter_context(partial_folder(parent / name)).new
        except OSError as error:
            raise DepthkitError(
                "DISK_FULL" if disk_full(error) else "INVALID_ARGUMENT",
                f"Training needs a folder for temporary files and cannot make one in {parent}: {error}. "
                "Give a folder that can be written to.",
                folder=str(parent),
            ) from error
        free = shutil.disk_usage(parent).free
        if needed_bytes > free:
            raise DepthkitError(
                "DISK_FULL",
                f"The dense model's output for this training takes {needed_bytes:,} bytes and the disk of "
                f"{parent} has {free:,}. Lower teacherTop or steps, use a smaller corpus, or give a folder "
                f"on another disk.",
                needed=needed_bytes,
                free=free,
            )
        yield folder
