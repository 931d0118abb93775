"""Folders that are filled beside their place and appear there whole or not at all, and what of them a killed
process leaves behind.

`.NAME.<random>.partial` beside NAME holds `new`, which becomes NAME, `old`, which was NAME until then, and
`lock`, which the process at work keeps locked and which names its machine. The system gives the lock up with
its process, however that ends, so that neither a number that another process has by now nor a restart
misleads. On a disk that machines share a lock may be seen by its own machine alone: another machine's folders
are never touched.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from depthkit_worker.models.folders import flush_entries, flush_folder
from depthkit_worker.session.job import Job

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_LOCK, _NEW, _OLD = "lock", "new", "old"
_BEHIND = 1 << 20
"""Windows locks bytes, and those that are locked cannot be read: one far behind what is written."""

Owner = Literal["in use", "abandoned", "unknown"]
"""`unknown`: another machine's, or one that has no lock: nobody here can say whether its process is alive."""


@dataclass(frozen=True)
class PartialFolder:
    """What is prepared for `target`."""

    target: Path
    folder: Path

    @property
    def new(self) -> Path:
        """The folder to fill."""
        return self.folder / _NEW

    def put_in_place(self, job: Job) -> None:
        """Make `new`, once it is safe on disk, the folder `target`; what was there goes."""
        flush_folder(self.new, job)
        old = self.folder / _OLD
        if self.target.exists():
            self.target.rename(old)
        try:
            self.new.rename(self.target)
        except BaseException:
            _restore(self.folder, self.target)
            raise
        flush_entries(self.target.parent)

    def put_file_in_place(self, file: Path, job: Job) -> None:
        """Make `file`, the one thing in `new`, once it is safe on disk, the file `target`."""
        flush_folder(self.new, job)
        file.replace(self.target)
        flush_entries(self.target.parent)


@contextmanager
def partial_folder(target: Path) -> Iterator[PartialFolder]:
    """A folder for what is to become `target`, on its disk. It is gone afterwards, whatever happens; what
    killed processes left beside `target` goes first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    folder = Path(tempfile.mkdtemp(suffix=".partial", prefix=f".{target.name}.", dir=target.parent))
    try:
        with _held(folder / _LOCK):
            (folder / _NEW).mkdir()
            yield PartialFolder(target, folder)
    finally:
        _discard(folder)


@dataclass(frozen=True)
class Leftover:
    folder: Path
    bytes: int
    owner: Owner


def leftovers(parent: Path) -> list[Leftover]:
    """The partial folders in `parent`, those that are at work among them."""
    found = []
    for folder in _partials(parent):
        with _looked_at(folder) as owner:
            size = _size(folder)
            if folder.exists():  # It may have gone with the end of its work meanwhile.
                found.append(Leftover(folder, size, owner))
    return found


def sweep(parent: Path) -> list[Leftover]:
    """Remove the abandoned ones, and give them. One whose process was killed between its two renames has what
    stood in the target before: that goes back there."""
    found = [leftover for leftover in leftovers(parent) if leftover.owner == "abandoned"]
    return [leftover for leftover in found if _remove(leftover.folder)]


def report(parents: Sequence[str], clean: bool) -> list[dict[str, object]]:
    """What is in `parents`, for `depthkit doctor`; with `clean` what was abandoned is removed."""
    told: list[dict[str, object]] = []
    for parent in dict.fromkeys(map(Path, parents)):
        found = leftovers(parent)
        gone = {one.folder for one in sweep(parent)} if clean else set()
        told += [
            {"folder": str(one.folder), "bytes": one.bytes, "owner": one.owner, "removed": one.folder in gone}
            for one in found
        ]
    return told


def _remove(folder: Path) -> bool:
    with _looked_at(folder) as owner:
        if owner != "abandoned":  # Another sweep came first.
            return False
        _discard(folder)
    shutil.rmtree(folder, ignore_errors=True)  # Windows kept the lock while it was open.
    return not folder.exists()


def _discard(folder: Path) -> None:
    """Remove a partial folder, but never what nothing stands for any more."""
    _restore(folder, folder.parent / folder.name[1:].removesuffix(".partial").rpartition(".")[0])
    shutil.rmtree(folder, ignore_errors=True)


def _partials(parent: Path) -> list[Path]:
    return sorted(path for path in parent.glob(".*.partial") if path.is_dir() and not path.is_symlink())


def _size(folder: Path) -> int:
    """Of the files in it, while they and the folder may go."""
    total = 0
    for where, _, names in os.walk(folder):  # which passes over what is gone, where `rglob` fails
        for name in names:
            with suppress(OSError):
                total += Path(where, name).lstat().st_size
    return total


def _restore(folder: Path, target: Path) -> None:
    old = folder / _OLD
    if old.exists() and not target.exists():
        old.rename(target)


@contextmanager
def _held(path: Path) -> Iterator[None]:
    with path.open("x+b") as file:
        # Without a name in it where the file system has no locks.
        if _lock(file) == "locked":
            file.write(f"{platform.node()}\n{os.getpid()}\n".encode())
            file.flush()
        yield


@contextmanager
def _looked_at(folder: Path) -> Iterator[Owner]:
    """Whose a folder is. An abandoned one belongs to the caller meanwhile."""
    try:
        file = (folder / _LOCK).open("r+b")
    except OSError:
        yield "unknown"
        return
    with file:
        there = file.read().partition(b"\n")[0].decode(errors="replace")
        state = _lock(file) if there == platform.node() else "impossible"
        # A lock that was not yet written is read as nobody's.
        yield {"locked": "abandoned", "taken": "in use", "impossible": "unknown"}[state]  # type: ignore[misc]


def _lock(file: IO[bytes]) -> Literal["locked", "taken", "impossible"]:
    try:
        if sys.platform == "win32":
            file.seek(_BEHIND)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            file.seek(0)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return "taken"
    except OSError:
        return "impossible"
    return "locked"
