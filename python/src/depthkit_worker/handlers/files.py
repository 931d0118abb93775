"""What was written for a client, for it to fetch: nothing else on this machine can be read by these."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from depthkit_worker.contract.wire import (
    ExportedFile,
    FilesDigestParams,
    FilesDigestResult,
    FilesListParams,
    FilesListResult,
    FilesReadParams,
    FilesReadResult,
)
from depthkit_worker.data.find import find_files
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.folders import files_in, sha256_of_files
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def note_written(session: Session, folder: Path) -> None:
    """From now on `folder`, as it is, can be fetched."""
    whole = folder.resolve()
    session.written[str(whole)] = tuple(name for name, path in files_in(whole) if not path.is_symlink())


def note_file_written(session: Session, file: Path) -> None:
    """From now on `file` can be fetched by the name of its folder, beside other files written there."""
    whole = file.resolve()
    folder = str(whole.parent)
    session.written[folder] = tuple(sorted({*session.written.get(folder, ()), whole.name}))


def digest(session: Session, params: FilesDigestParams, call: Call) -> FilesDigestResult:
    return FilesDigestResult(digests=tuple(_digest(name, call) for name in params.files))


def _digest(name: str, call: Call) -> str:
    try:
        return sha256_of_files([file.path for file in find_files([name], call)], call.check)
    except OSError as error:
        raise DepthkitError(
            "FILE_NOT_FOUND",
            f"Reading text to evaluate on: {name} cannot be read ({error.strerror}). Check the path.",
            path=name,
        ) from error


def list_files(session: Session, params: FilesListParams, call: Call) -> FilesListResult:
    folder, names = _written(session, params.folder)
    files = []
    for number, name in enumerate(names):
        call.report("reading", number, len(names), "files")
        path = _path(folder, name, names)
        digest = sha256_of_files([path], call.check)
        files.append(ExportedFile(name=name, bytes=path.stat().st_size, sha256=digest))
    return FilesListResult(files=tuple(files))


def read(session: Session, params: FilesReadParams, call: Call) -> FilesReadResult:
    folder, names = _written(session, params.folder)
    with _path(folder, params.name, names).open("rb") as file:
        file.seek(params.offset)
        data = file.read(params.bytes)
    return FilesReadResult(data=call.attach(np.frombuffer(data, dtype=np.uint8)))


def _written(session: Session, folder: str) -> tuple[Path, tuple[str, ...]]:
    whole = Path(folder).resolve()
    names = session.written.get(str(whole))
    if names is None:
        held = ", ".join(session.written) or "none yet"
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Fetching {folder}: this worker wrote no export and no saved subnetwork there. Only such "
            f"folders can be fetched; those it wrote since it was started: {held}.",
            folder=folder,
        )
    return whole, names


def _path(folder: Path, name: str, names: tuple[str, ...]) -> Path:
    path = folder / name
    # A name that was not written is never looked at; one that became a link since leads somewhere else.
    if name not in names or path.resolve() != path or not path.is_file():
        raise DepthkitError(
            "FILE_NOT_FOUND",
            f"Fetching {folder}: it has no file {name} any more. Export it again.",
            folder=str(folder),
            name=name,
        )
    return path
