"""The form of `repair.json`, checked before anything is made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.json_files import read_json_object

FORMAT = "depthkit-repair"
VERSION = 2


class SavedModel(msgspec.Struct, rename="camel"):
    name: str
    weights_digest: str


class SavedRepair(msgspec.Struct):
    method: str
    removed: tuple[str, ...]
    settings: dict[str, Any]
    base: tuple[str, ...]
    digest: str
    edits: tuple[dict[str, Any], ...]


class SavedSubnetwork(msgspec.Struct):
    model: SavedModel
    removed: tuple[str, ...]
    repairs: tuple[SavedRepair, ...]


def read_saved(folder: Path) -> SavedSubnetwork:
    path = folder / "repair.json"
    if not path.is_file():
        raise DepthkitError("FILE_NOT_FOUND", f"There is no repair in {folder}: repair.json is missing.")
    content = read_json_object(path)
    if content.get("format") != FORMAT or content.get("version") != VERSION:
        raise DepthkitError(
            "UNSUPPORTED_FORMAT",
            f"{path} is no repair that this depthkit reads: it needs format {FORMAT}, version {VERSION}.",
            path=str(path),
        )
    try:
        return msgspec.convert(content, SavedSubnetwork)
    except msgspec.ValidationError as error:
        raise damaged(folder, f"repair.json is not as it was written: {error}") from error


def damaged(folder: Path, why: str) -> DepthkitError:
    return DepthkitError(
        "MODEL_INVALID",
        f"The repair in {folder} is damaged: {why}. Make it again, or copy it anew.",
        folder=str(folder),
    )
