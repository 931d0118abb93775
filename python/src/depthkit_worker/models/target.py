"""The folder that an export, a repair or files go to: what may be replaced, checked before any work."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthkit_worker.contract.wire import TargetKind
from depthkit_worker.errors import DepthkitError

NAMED = 3
"""Entries of a folder that a message names."""


@dataclass(frozen=True)
class _Known:
    """How what depthkit wrote itself is known again, so that nothing else is ever replaced."""

    what: str
    mark: str
    fields: tuple[str, ...]
    """That the mark holds."""
    folders: tuple[str, ...]
    """That may be in it."""


EXPORT_FOLDERS = ("adapter", "additional_chat_templates", "onnx")
"""That an export may have in it."""
_KNOWN: dict[TargetKind, _Known] = {
    "export": _Known("exported model", "depthkit.json", ("version", "source", "steps"), EXPORT_FOLDERS),
    "repair": _Known("saved repair", "repair.json", ("format", "version", "repairs"), ()),
}
_CALLED: dict[TargetKind, str] = {
    "gguf": "The export's target",
    "export": "The export's target",
    "repair": "The repair's folder",
    "files": "The folder",
}


def check_target(target: Path, kind: TargetKind, overwrite: bool, source_folder: Path | None = None) -> Path:
    """`target` in full, when something of `kind`, made from the model in `source_folder`, may be written
    there."""
    if kind == "gguf":
        return _check_gguf(target, overwrite)
    target = target.resolve()
    try:
        target.exists()
    except PermissionError as error:
        why = f"cannot be looked at ({error})"
        raise _refused(kind, target, why, "Name another folder.", "INVALID_ARGUMENT") from error
    if target.exists() and not target.is_dir():
        raise _refused(
            kind, target, "is a file", "Name a folder that is empty or not there yet.", "INVALID_ARGUMENT"
        )
    _check_writable(target, kind)
    if kind == "files":
        return target
    if source_folder is not None and source_folder.resolve().is_relative_to(target):
        why = f"holds the model itself ({source_folder})"
        raise _refused(kind, target, why, "Name another folder.", "INVALID_ARGUMENT")
    if target.is_dir() and (entries := sorted(target.iterdir())):
        known = _KNOWN[kind]
        fault = _unlike(entries, known)
        if fault is not None:
            remedy = "Name another folder, or empty it by hand."
            asked = (
                f", so it is no {known.what} and is not replaced{' even when asked to' if overwrite else ''}"
            )
            raise _refused(kind, target, f"is not empty: it {fault}{asked}", remedy, "TARGET_NOT_EMPTY")
        if not overwrite:
            why = f"is not empty: it holds the {known.what} of an earlier run"
            remedy = "Name another folder, or ask to overwrite: then everything in it is replaced."
            raise _refused(kind, target, why, remedy, "TARGET_NOT_EMPTY")
    return target


def _check_gguf(target: Path, overwrite: bool) -> Path:
    """The same for a file. Only one whose metadata say that depthkit wrote it may be replaced."""
    target = target.resolve()
    elsewhere = "Name another file."
    if target.suffix != ".gguf":
        raise _refused("gguf", target, "has no name that ends in .gguf", elsewhere, "INVALID_ARGUMENT")
    if target.is_dir():
        raise _refused("gguf", target, "is a folder", elsewhere, "INVALID_ARGUMENT")
    _check_writable(target.parent, "files")
    if not target.exists():
        return target
    # Its library brings NumPy, which a worker has no use for before its first model.
    from depthkit_worker.models.gguf_header import gguf_fault, wrote_gguf

    if gguf_fault(target) is not None or not wrote_gguf(target):
        asked = " even when asked to" if overwrite else ""
        why = f"is there and no GGUF file that depthkit wrote, so it is not replaced{asked}"
        raise _refused("gguf", target, why, elsewhere, "TARGET_NOT_EMPTY")
    if not overwrite:
        why = "is the GGUF file of an earlier run"
        raise _refused("gguf", target, why, f"{elsewhere[:-1]}, or ask to overwrite.", "TARGET_NOT_EMPTY")
    return target


def _check_writable(target: Path, kind: TargetKind) -> None:
    existing = _nearest(target)
    if not existing.is_dir():
        why = f"cannot be made: {existing} is a file"
        raise _refused(kind, target, why, "Name another folder.", "INVALID_ARGUMENT")
    # What replaces a folder, or becomes one, is made beside it.
    place = existing if kind == "files" or existing != target else target.parent
    if not os.access(place, os.W_OK | os.X_OK):
        why = f"cannot be written: {place} is closed to this user"
        raise _refused(kind, target, why, "Name another folder, or open that one.", "INVALID_ARGUMENT")


def _unlike(entries: list[Path], known: _Known) -> str | None:
    """Why a folder with `entries` is not what `known` says; None where it is."""
    names = [entry.name for entry in entries]
    listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    if known.mark not in names:
        return f"holds {listed} and no {known.mark}"
    content = _json(entries[names.index(known.mark)])
    if not isinstance(content, dict) or not all(field in content for field in known.fields):
        return f"holds a {known.mark} that is not depthkit's"
    foreign = next(
        (entry.name for entry in entries if entry.is_dir() and entry.name not in known.folders), None
    )
    return None if foreign is None else f"holds the folder {foreign} as well"


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def _refused(kind: TargetKind, target: Path, why: str, remedy: str, code: str) -> DepthkitError:
    return DepthkitError(code, f"{_CALLED[kind]} {target} {why}. {remedy}", target=str(target))


def check_room(target: Path, needed_bytes: int) -> None:
    """Refuse an export that cannot fit on the target's disk."""
    existing = _nearest(target)
    free = shutil.disk_usage(existing).free
    if free < needed_bytes:
        raise DepthkitError(
            "DISK_FULL",
            f"The export needs {needed_bytes:,} bytes and the disk of {existing} has {free:,}.",
            needed=needed_bytes,
            free=free,
        )


def _nearest(path: Path) -> Path:
    """It, or the first folder above that exists."""
    return next(one for one in (path, *path.parents) if one.exists())
