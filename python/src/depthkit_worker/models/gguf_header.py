"""The front of a GGUF file, walked with an eye on the file's end.

The library's reader takes what lies behind the end as empty and goes on, for ever where a count is absurd.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

MAGIC = b"GGUF"
VERSIONS = (2, 3)
_FORMATS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING, _ARRAY = 8, 9
_MOST_DIMENSIONS = 4
_DEFAULT_ALIGNMENT = 32
_BLOCK = re.compile(rb"blk\.([0-9]{1,9})\.")


LICENCE_KEYS = {
    "license": b"general.license",
    "license_name": b"general.license.name",
    "license_link": b"general.license.link",
}
"""What a model card calls them, and a GGUF."""


PROVENANCE = "depthkit.provenance"
"""The key that an export has, and no other file."""


def gguf_licence(path: Path) -> dict[str, str]:
    """What a whole GGUF file says of its licence, by the names of a model card."""
    texts = _texts(path)
    found = {name: texts.get(key, b"").decode(errors="replace").strip() for name, key in LICENCE_KEYS.items()}
    return {name: text for name, text in found.items() if text}


def wrote_gguf(path: Path) -> bool:
    """Whether depthkit wrote this whole GGUF file."""
    return PROVENANCE.encode() in _texts(path)


def _texts(path: Path) -> dict[bytes, bytes]:
    """A whole file's texts, by key."""
    with path.open("rb") as file:
        file.seek(8)
        walk = _Walk(file, path.stat().st_size)
        walk.fault()
    return walk.texts


def gguf_fault(path: Path) -> str | None:
    """Why `path` is no whole GGUF file; None where it is."""
    size = path.stat().st_size
    with path.open("rb") as file:
        front = file.read(8)
        if front[:4] != MAGIC:
            return f"its {size:,} bytes do not begin as a GGUF file does"
        version = int.from_bytes(front[4:], "little")
        if version not in VERSIONS:
            return f"it is GGUF version {version}, and versions {', '.join(map(str, VERSIONS))} are read"
        try:
            return _Walk(file, size).fault()
        except _DamagedError as error:
            return f"it is cut or damaged: {error}, and the file has {size:,}"


class _DamagedError(Exception):
    pass


class _Walk:
    """From behind the version to the end of the tensors' list."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._size = file, size
        self._numbers: dict[bytes, int] = {}
        """Whole numbers of the metadata, by key."""
        self.texts: dict[bytes, bytes] = {}
        """Texts of the metadata, by key."""

    def fault(self) -> str | None:
        tensors, keys = self._number("<Q"), self._number("<Q")
        self._repeat(keys, self._entry, "keys")
        ends: list[int] = [0]
        names: list[bytes] = []
        self._repeat(tensors, lambda: self._tensor(names, ends), "tensors")
        alignment = self._numbers.get(b"general.alignment", _DEFAULT_ALIGNMENT)
        if alignment < 1:
            return f"its alignment is {alignment}"
        data = -(-self._file.tell() // alignment) * alignment
        if data + max(ends) > self._size:
            return f"it is cut: it has {self._size:,} bytes, and its tensors end at byte {data + max(ends):,}"
        blocks = max((int(found[1]) + 1 for name in names if (found := _BLOCK.match(name))), default=0)
        for key, depth in self._numbers.items():
            if key.endswith(b".block_count") and depth > blocks:
                return (
                    f"{key.decode(errors='replace')} is {depth:,}, and it has the tensors of {blocks} blocks"
                )
        return None

    def _entry(self) -> None:
        key = self._string()
        kind = self._number("<I")
        if kind in _FORMATS:
            value = self._number(_FORMATS[kind])
            if isinstance(value, int):
                self._numbers[key] = value
        elif kind == _STRING:
            self.texts[key] = self._string()
        else:
            self._value(kind)

    def _value(self, kind: int, depth: int = 0) -> None:
        if kind == _STRING:
            self._string()
        elif kind in _FORMATS:
            self._skip(struct.calcsize(_FORMATS[kind]))
        elif kind == _ARRAY and depth < _MOST_DIMENSIONS:
            inner, count = self._number("<I"), self._number("<Q")
            if inner in _FORMATS:
                self._skip(count * struct.calcsize(_FORMATS[inner]))
            else:
                self._repeat(count, lambda: self._value(inner, depth + 1), "entries of a list")
        else:
            raise _DamagedError(f"byte {self._file.tell():,} has a value of kind {kind}, which there is not")

    def _tensor(self, names: list[bytes], ends: list[int]) -> None:
        names.append(self._string())
        dimensions = self._number("<I")
        if dimensions > _MOST_DIMENSIONS:
            raise _DamagedError(f"tensor {names[-1].decode(errors='replace')} has {dimensions:,} dimensions")
        elements = math.prod(self._number("<Q") for _ in range(dimensions))
        kind, offset = self._number("<I"), self._number("<Q")
        try:
            per_block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        except (ValueError, KeyError):
            raise _DamagedError(
                f"tensor {names[-1].decode(errors='replace')} has a dtype of number {kind}, which is none"
            ) from None
        ends.append(offset + -(-elements // per_block) * block_bytes)

    def _repeat(self, count: int, step: Callable[[], None], what: str) -> None:
        # Each takes a byte at least, so that a count beyond the file's end is known at once.
        if count > self._size - self._file.tell():
            raise _DamagedError(f"it tells of {count:,} {what}")
        for _ in range(count):
            step()

    def _string(self) -> bytes:
        length = self._number("<Q")
        self._require(length)
        return self._file.read(length)

    def _number(self, form: str) -> int:
        length = struct.calcsize(form)
        self._require(length)
        (value,) = struct.unpack(form, self._file.read(length))
        return value  # type: ignore[no-any-return]

    def _skip(self, length: int) -> None:
        self._require(length)
        self._file.seek(length, 1)

    def _require(self, length: int) -> None:
        at = self._file.tell()
        if at + length > self._size:
            raise _DamagedError(f"{length:,} bytes should follow byte {at:,}")
