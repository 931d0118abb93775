"""The file in an export that says what it was made from. It is read without depthkit's own libraries too:
nothing heavy here."""

from __future__ import annotations

from pathlib import Path

from depthkit_worker.contract.json_files import from_json, to_json
from depthkit_worker.contract.wire import ExportProvenance
from depthkit_worker.errors import DepthkitError

FILE = "depthkit.json"
VERSION = 1


def write_provenance(provenance: ExportProvenance, folder: Path) -> None:
    (folder / FILE).write_bytes(to_json(provenance))


def read_provenance(content: bytes, path: Path) -> ExportProvenance:
    """`content`, found at `path`."""
    try:
        found = from_json(content, ExportProvenance)
        if found.version != VERSION:
            raise ValueError(f"its version is {found.version}, not {VERSION}")
        return found
    except ValueError as error:
        raise DepthkitError(
            "MODEL_INVALID",
            f"{path} should say how the checkpoint was made, and is not what this depthkit writes: {error}. "
            "Move it away to export without its history.",
        ) from error
