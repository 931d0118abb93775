"""Reading gzip files, which may unpack to any size, up to a bound."""

from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import IO, Any, cast

from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Job

ALWAYS_READ = 1 << 28
"""Bytes that any file may unpack to."""
MOST_TIMES = 100
"""How many times its own size a file may unpack to beyond that. Text packs to a tenth, seldom to a
fiftieth."""
BUFFER = 1 << 20


def most_of(packed: int) -> int:
    """Bytes that a file of `packed` bytes may unpack to."""
    return max(ALWAYS_READ, MOST_TIMES * packed)


def too_much(path: Path, packed: int) -> DepthkitError:
    most = most_of(packed)
    return DepthkitError(
        "UNSUPPORTED_FORMAT",
        f"Cannot unpack {path}: its {packed:,} bytes unpack to more than {most:,}, over {MOST_TIMES} times "
        "as many. Unpack it by hand if it is what it should be.",
        path=str(path),
        bytes=packed,
        most=most,
    )


def open_gzip(path: Path, job: Job) -> IO[bytes]:
    """The unpacked bytes of `path`; unpacking beyond the bound is refused, and looks for a cancel."""
    return cast("IO[bytes]", io.BufferedReader(_Bounded(path, job), BUFFER))


class _Bounded(io.RawIOBase):
    def __init__(self, path: Path, job: Job) -> None:
        super().__init__()
        self._path, self._job = path, job
        self._packed = path.stat().st_size
        self._most = most_of(self._packed)
        self._file = gzip.GzipFile(path, "rb")
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._job.check()
        count = self._file.readinto(buffer)
        self._read += count
        if self._read > self._most:
            raise too_much(self._path, self._packed)
        return count

    def close(self) -> None:
        self._file.close()
        super().close()
