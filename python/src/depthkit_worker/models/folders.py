"""What is in folders: digests of it, and that it is safe on disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from depthkit_worker.session.job import Job, attended

CHUNK_BYTES = 4 << 20
"""Read between two looks at a cancel: a few milliseconds of hashing."""


def sha256_of_files(files: Iterable[Path], check: Callable[[], None]) -> str:
    """sha256 over the bytes of `files`, one after the other. Calls `check` every few milliseconds."""
    digest = hashlib.sha256()
    read_into([digest], files, check)
    return digest.hexdigest()


def read_into(digests: Sequence[hashlib._Hash], files: Iterable[Path], check: Callable[[], None]) -> None:
    """Feed the bytes of `files`, read once, to every one of `digests`. Calls `check` as above."""
    buffer = memoryview(bytearray(CHUNK_BYTES))
    for path in files:
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                for digest in digests:
                    digest.update(buffer[:count])
                check()


def files_in(folder: Path) -> list[tuple[str, Path]]:
    """Every file in `folder` and below with its name from there, in order."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted((path.relative_to(folder).as_posix(), path) for path in found)


def flush_folder(folder: Path, job: Job) -> None:
    """See that all in `folder` is on disk. A cancel leaves a flush behind, which changes nothing."""
    # safetensors writes files only their owner can read; give all files what the folder itself got.
    mode = folder.stat().st_mode & 0o666
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)
            attended(job, partial(_flush, path))
    flush_entries(folder)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_entries(folder: Path) -> None:
    """See that what `folder` lists is on disk."""
    if os.name == "nt":  # Windows cannot open a folder to flush it.
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
