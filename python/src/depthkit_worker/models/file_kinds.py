"""What a file is that is not what its name says: what a download that went wrong leaves behind."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

LOOKED_AT = 1024
"""Bytes at a file's front that are enough to know it."""
LENGTH = struct.Struct("<Q")
LARGEST_HEADER = 100_000_000
"""Bytes of a safetensors header; the library's own limit."""

_LFS = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n")
_LFS_SIZE = re.compile(rb"^size ([0-9]+)$", re.MULTILINE)
_HTML = re.compile(rb"\s*(<!doctype html|<html)", re.IGNORECASE)


def not_what_it_says(path: Path) -> str | None:
    """What stands in `path` in place of what belongs there, with its size; None where nothing is seen."""
    size = path.stat().st_size
    with path.open("rb") as file:
        front = file.read(LOOKED_AT)
    if not front:
        return "it is empty (0 bytes)"
    if _LFS.match(front):
        return _pointer(front, size)
    if _HTML.match(front):
        return f"it is an HTML page of {size:,} bytes: a web server's answer was saved in the file's place"
    if path.suffix == ".safetensors":
        return _cut_safetensors(path, size, front)
    if not front.strip(b"\0"):
        return f"its first {len(front):,} of {size:,} bytes are all zero: a download that was never filled in"
    return None


def lfs_pointer(path: Path) -> str | None:
    """What stands in `path` where it is a Git LFS pointer; None where it is none."""
    with path.open("rb") as file:
        front = file.read(LOOKED_AT)
    return _pointer(front, path.stat().st_size) if _LFS.match(front) else None


def _pointer(front: bytes, size: int) -> str:
    stands_for = _LFS_SIZE.search(front)
    real = f", which stands for a file of {int(stands_for[1]):,} bytes" if stands_for else ""
    return f"it is a Git LFS pointer of {size:,} bytes{real}: the file itself was not fetched (git lfs pull)"


def _cut_safetensors(path: Path, size: int, front: bytes) -> str | None:
    """How a safetensors file is shorter, or longer, than its own header says."""
    if size < LENGTH.size:
        return f"it has {size:,} bytes, fewer than the header of any safetensors file"
    (length,) = LENGTH.unpack_from(front)
    if length > LARGEST_HEADER:
        return f"it is no safetensors file: its header would have {length:,} bytes, and the file has {size:,}"
    if LENGTH.size + length > size:
        return f"it is cut: its header alone has {length:,} bytes, and the file has {size:,}"
    with path.open("rb") as file:
        file.seek(LENGTH.size)
        raw = file.read(length)
    try:
        ends = [entry["data_offsets"][1] for name, entry in json.loads(raw).items() if name != "__metadata__"]
        whole = LENGTH.size + length + max(ends, default=0)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        return f"its header of {length:,} bytes cannot be read"
    if whole == size:
        return None
    fault = "cut" if size < whole else "too long"
    return f"it has {size:,} bytes where its header asks for {whole:,}: it is {fault}"
