"""The file in an export that holds what it should answer. It is read in environments without depthkit's own
libraries too: nothing heavy here."""

from __future__ import annotations

from pathlib import Path

from depthkit_worker.contract.json_files import from_json, to_json
from depthkit_worker.contract.wire import ExportReference
from depthkit_worker.errors import DepthkitError

FILE = "depthkit-reference.json"
VERSION = 1


def write_reference(reference: ExportReference, folder: Path) -> None:
    (folder / FILE).write_bytes(to_json(reference))


def read_reference(folder: Path) -> ExportReference:
    path = folder / FILE
    if not path.is_file():
        raise DepthkitError(
            "FILE_NOT_FOUND",
            f"Checking {folder}: it has no {FILE}, which every export of this depthkit carries. Export the "
            "model again, or name the folder of an export.",
            path=str(path),
        )
    try:
        found = from_json(path.read_bytes(), ExportReference)
        if found.version != VERSION:
            raise ValueError(f"its version is {found.version}, not {VERSION}")
        return found
    except ValueError as error:
        raise DepthkitError(
            "MODEL_INVALID",
            f"{path} should say what the model answers, and is not what this depthkit writes: {error}. "
            "Export the model again.",
            path=str(path),
        ) from error
