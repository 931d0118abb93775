"""Folders that appear whole or not at all, and digests of what is in them."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

CHUNK_BYTES = 4 << 20
"""Read between two looks at a cancel: a few milliseconds of hashing."""


def partial_folder(target: Path, process: int) -> Path:
    """Where `process` prepares `target`: beside it, so that the final rename stays on one disk."""
    return target.parent / f".{target.name}.{process}.partial"


def put_in_place(partial: Path, target: Path) -> None:
    """Make `partial`, once it is safe on disk, the folder `target`; what was there goes."""
    _sync(partial)
    old = partial.with_suffix(".old")
    if target.exists():
        target.rename(old)
    try:
        partial.rename(target)
    except BaseException:
        if old.exists():
            old.rename(target)
        raise
    _sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def sweep_partials(target: Path) -> None:
    """Remove what processes that are gone left beside `target`."""
    for leftover in target.parent.glob(f".{target.name}.*.partial"):
        process = leftover.name.removesuffix(".partial").rpartition(".")[2]
        if process.isdigit() and not _is_running(int(process)):
            shutil.rmtree(leftover, ignore_errors=True)


def sha256_of_files(files: Iterable[Path], check: Callable[[], None]) -> str:
    """sha256 over the bytes of `files`, one after the other. Calls `check` every few milliseconds."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(CHUNK_BYTES))
    for path in files:
        with path.open("rb", buffering=0) as file:
            while count := file.readinto(buffer):
                digest.update(buffer[:count])
                check()
    return digest.hexdigest()


def files_in(folder: Path) -> list[tuple[str, Path]]:
    """Every file in `folder` and below with its name from there, in order."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted((path.relative_to(folder).as_posix(), path) for path in found)


def is_full(error: BaseException) -> bool:
    """Whether a write failed for want of space. safetensors has the number in its text alone."""
    return getattr(error, "errno", None) == errno.ENOSPC or f"os error {errno.ENOSPC}" in str(error)


def _is_running(process: int) -> bool:
    if os.name == "nt":  # Signal 0 asks nothing there: it interrupts.
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _sync(folder: Path) -> None:
    # safetensors writes files only their owner can read; give all files what the folder itself got.
    mode = folder.stat().st_mode & 0o666
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(mode)
            with path.open("rb+") as file:
                os.fsync(file.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder to flush it.
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
