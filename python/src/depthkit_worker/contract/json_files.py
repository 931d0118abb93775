"""Types of the contract as the JSON of a file."""

from __future__ import annotations

from typing import TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)


def to_json(value: msgspec.Struct) -> bytes:
    """Indented, with a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def from_json(content: bytes, kind: type[T]) -> T:
    """Raises ValueError, with the place, where it is no JSON or none of this type."""
    return msgspec.json.decode(content, type=kind)
