"""Where a row stands, and what its bytes say."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from depthkit_worker.errors import DepthkitError

BOM = b"\xef\xbb\xbf"
OTHER_BOMS = {
    b"\xff\xfe\x00\x00": "UTF-32LE",
    b"\x00\x00\xfe\xff": "UTF-32BE",
    b"\xff\xfe": "UTF-16LE",
    b"\xfe\xff": "UTF-16BE",
}
"""Encodings by the mark at a file's front; of two that fit the longer is meant."""
HEAD = 1 << 12
"""Bytes at a file's front that tell its encoding."""


@dataclass(frozen=True)
class Place:
    """Where a row stands: a line or a row of a file, or one of the rows that a caller gave."""

    number: int
    """From 1."""
    path: Path | None = None
    by_line: bool = True
    """Whether the number is that of a line in the file."""

    @property
    def _what(self) -> str:
        return "row" if self.path is None or not self.by_line else "line"

    def __str__(self) -> str:
        return f"{self._what} {self.number}" + ("" if self.path is None else f" of {self.path}")

    @property
    def details(self) -> dict[str, object]:
        """For an error's details."""
        return ({} if self.path is None else {"path": str(self.path)}) | {self._what: self.number}


def check_encoding(head: bytes, path: Path) -> None:
    """Refuse UTF-16 and UTF-32 by name. Without a mark they read as UTF-8 full of zero bytes."""
    encoding = next((name for mark, name in OTHER_BOMS.items() if head.startswith(mark)), None)
    zeros = head.count(0)
    if encoding is None and zeros > len(head) // 4:
        # Of Latin letters one byte is not zero: the first of its two or four, or the last.
        width = "UTF-32" if zeros > len(head) * 5 // 8 else "UTF-16"
        encoding = width + ("LE" if head[0] else "BE")
    if encoding is None:
        return
    raise DepthkitError(
        "UNSUPPORTED_FORMAT",
        f"Cannot read {path}: it is in {encoding}, and files are read as UTF-8. Convert it: "
        f"iconv -f {encoding} -t UTF-8 OLD > NEW, or save it as UTF-8 in an editor.",
        path=str(path),
        encoding=encoding,
    )


def decode(raw: bytes, path: Path, offset: int) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        place = offset + error.start
        raise DepthkitError(
            "UNSUPPORTED_FORMAT",
            f"Cannot read {path}: byte {place} (0x{raw[error.start]:02x}) is not UTF-8 ({error.reason}). "
            "Convert the file to UTF-8.",
            path=str(path),
            byte=place,
        ) from error


def json_object(line: str, place: Place) -> dict[str, object]:
    """What a row holds, whole numbers as floats."""
    try:
        value = json_value(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise bad_row(place, f"it is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise bad_row(place, "it is JSON but not an object")
    return value


def json_value(text: str) -> object:
    # Fields may hold anything, whole numbers longer than Python's int() reads among it.
    return json.loads(text, parse_int=float)


def check_surrogates(text: str, place: Place) -> None:
    # JSON can escape half of a surrogate pair; no tokeniser and no digest could take it.
    try:
        text.encode()
    except UnicodeEncodeError as error:
        reason = f"its text escapes half a surrogate pair at character {error.start}"
        raise bad_row(place, reason) from error


def bad_row(place: Place, reason: str) -> DepthkitError:
    return DepthkitError(
        "UNSUPPORTED_FORMAT",
        f"Cannot read {place}: {reason}. A row is one JSON object; a .jsonl file has one per line.",
        **place.details,
    )
