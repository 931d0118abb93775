"""What may be put on the hub: what depthkit exported, and all of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.onnx.files import GRAPHS
from depthkit_worker.export.provenance_file import FILE, read_provenance
from depthkit_worker.models.adapter_files import BESIDE
from depthkit_worker.models.folders import files_in, read_into
from depthkit_worker.models.gguf_header import gguf_fault, wrote_gguf
from depthkit_worker.models.json_files import read_json_object
from depthkit_worker.models.target import EXPORT_FOLDERS
from depthkit_worker.session.job import Job

GGUF = ".gguf"
PHASE = "checking"
LOADED = {
    "config.json",
    "generation_config.json",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
}
"""What software reads beside the weights, each a JSON object."""


@dataclass(frozen=True)
class LocalFile:
    name: str
    """In the repository; parts with slashes."""
    path: Path
    bytes: int
    sha256: str


@dataclass(frozen=True)
class _Part:
    """Files of an export that have one digest together, in order."""

    called: str
    """With what is wrong, where the digest is another."""
    names: frozenset[str]
    written: str | None
    """Their digest as the export wrote it down; None: it has none of them."""
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)


def pushable(path: Path, job: Job) -> tuple[LocalFile, ...]:
    """The files of the export at `path`, in order, once it is known to be whole."""
    if not path.exists():
        raise DepthkitError(
            "FILE_NOT_FOUND",
            f"Pushing {path}: there is no such file or folder. Name what an export wrote.",
            path=str(path),
        )
    found = _files(path)
    parts = _parts(path, [name for name, _ in found]) if path.is_dir() else ()
    for _, file in found:
        if file.suffix == GGUF:
            _check_gguf(path, file)
    total, done, files = sum(file.stat().st_size for _, file in found), 0, []
    for name, file in found:
        size, own = file.stat().st_size, hashlib.sha256()
        # Read once for both: weights may be tens of gigabytes.
        read_into([own, *(part.digest for part in parts if name in part.names)], [file], job.check)
        files.append(LocalFile(name, file, size, own.hexdigest()))
        done += size
        job.report(PHASE, done, total, "bytes")
    for part in parts:
        if (part.digest.hexdigest() if part.names else None) != part.written:
            raise _not_whole(path, f"{part.called} that {FILE} says was written")
    return tuple(files)


def _files(path: Path) -> list[tuple[str, Path]]:
    if path.is_file():
        if path.suffix != GGUF:
            raise _refused(path, f"it is a file whose name does not end in {GGUF}")
        return [(path.name, path)]
    for entry in sorted(path.rglob("*")):
        name = entry.relative_to(path).as_posix()
        if entry.is_symlink():
            raise _refused(path, f"{name} is a link, and what it leads to may be no part of the export")
        if entry.name.startswith("."):
            raise _refused(path, f"{name} is hidden, and no part of an export")
        if entry.is_dir() and name not in EXPORT_FOLDERS:
            raise _refused(path, f"the folder {name} is no part of an export")
    return files_in(path)


def _refused(path: Path, why: str) -> DepthkitError:
    return DepthkitError(
        "INVALID_ARGUMENT",
        f"Pushing {path}: {why}. All files of a folder would be put on the hub, so it must hold an export of "
        "depthkit, with text files of yours beside it at most. Nothing was sent.",
        path=str(path),
    )


def _parts(folder: Path, names: list[str]) -> tuple[_Part, ...]:
    """What an export's own digests are of; of a folder of GGUF files alone nothing."""
    for name in LOADED & set(names):
        read_json_object(folder / name)
    if FILE not in names:
        if any(name.endswith(GGUF) for name in names) and "config.json" not in names:
            return ()
        raise _refused(folder, f"it has no {FILE}, which every export has")
    step = read_provenance((folder / FILE).read_bytes(), folder / FILE).steps[-1]
    inside = f"{GRAPHS}/"
    weights = [
        name
        for name in names
        if (
            name.startswith(inside)
            if step.layout == "onnx"
            else "/" not in name and name.endswith(".safetensors")
        )
    ]
    if "config.json" not in names or not weights:
        missing = "config.json" if "config.json" not in names else "file of weights"
        raise _not_whole(folder, f"it has no {missing}")
    beside = [name for name in names if name.startswith(f"{BESIDE}/")]
    return (
        _Part("the weights are not those", frozenset(weights), step.weights),
        _Part(f"the adapter in {BESIDE} is not the one", frozenset(beside), step.adapter),
    )


def _check_gguf(path: Path, file: Path) -> None:
    fault = gguf_fault(file)
    if fault is not None:
        raise _not_whole(path, f"{file.name}: {fault}")
    if not wrote_gguf(file):
        raise _refused(path, f"{file.name} is a GGUF file that depthkit did not write")


def _not_whole(path: Path, why: str) -> DepthkitError:
    return DepthkitError(
        "MODEL_INVALID",
        f"Pushing {path}: it is not the export that depthkit wrote there: {why}. Export it again. Nothing "
        "was sent.",
        path=str(path),
    )
