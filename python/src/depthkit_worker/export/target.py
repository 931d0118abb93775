"""The folder an export goes to: what may be replaced, checked before any work is done."""

from __future__ import annotations

import shutil
from pathlib import Path

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.source import Source


def check_target(target: Path, overwrite: bool, source: Source) -> Path:
    """`target` in full, when an export may be written there."""
    target = target.resolve()
    if target.exists() and not target.is_dir():
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The export's target {target} is a file. Name a folder that is empty or not there yet.",
            target=str(target),
        )
    if source.folder is not None and source.folder.resolve().is_relative_to(target):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The export's target {target} holds the model itself ({source.folder}). Name another folder.",
            target=str(target),
        )
    if target.is_dir() and any(target.iterdir()):
        if not overwrite:
            raise DepthkitError(
                "TARGET_NOT_EMPTY",
                f"The export's target {target} is not empty. Name another folder, or ask to overwrite: then "
                "everything in it is replaced.",
                target=str(target),
            )
        if not (target / "config.json").is_file():
            raise DepthkitError(
                "TARGET_NOT_EMPTY",
                f"The export's target {target} has no config.json, so it is no model's folder and will not be "
                "replaced even when asked to. Name another folder, or empty it by hand.",
                target=str(target),
            )
    return target


def check_room(target: Path, needed_bytes: int) -> None:
    """Refuse an export that cannot fit on the target's disk."""
    existing = next(folder for folder in (target, *target.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise DepthkitError(
            "DISK_FULL",
            f"The export needs {needed_bytes:,} bytes and the disk of {existing} has {free:,}.",
            needed=needed_bytes,
            free=free,
        )
