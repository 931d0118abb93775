"""The key file of a worker that listens on a network, which `depthkit keys` makes."""

from __future__ import annotations

from pathlib import Path

import msgspec


class KeyFile(msgspec.Struct, frozen=True):
    """Keys of CURVE, as 40 letters in Z85."""

    public: str
    secret: str
    trusted: dict[str, str]
    """Public keys of those who may come in, by the names they were given."""


def read_keys(path: Path) -> KeyFile:
    return msgspec.json.decode(path.read_bytes(), type=KeyFile)


def name_of(path: Path, public: str) -> str | None:
    """Whose key it is by the file as it is now, so that it can be added to while the worker runs; None for a
    stranger's, and for everyone while the file cannot be read."""
    try:
        trusted = read_keys(path).trusted
    except (OSError, msgspec.DecodeError):
        return None
    return next((name for name, key in trusted.items() if key == public), None)
