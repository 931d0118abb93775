"""From what the user calls a model to the folder that holds it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from depthkit_worker.contract.wire import ModelOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.bundled import BUNDLED, bundled_folder
from depthkit_worker.models.convert_gguf import Conversion, convert_in_child
from depthkit_worker.models.folders import sha256_of_files
from depthkit_worker.models.hub import fetch_model
from depthkit_worker.models.manifest import read_manifest
from depthkit_worker.session.job import Job

GGUF_DIGEST_LETTERS = 16

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)


@dataclass(frozen=True)
class Found:
    folder: Path
    revision: str | None
    """The commit, for a hub id."""


def find_model(source: str, cache_folder: Path, options: ModelOptions, job: Job) -> Found:
    """The folder of a bundled name, a folder, a .gguf file (converted once) or a hub id (fetched)."""
    path = Path(source)
    local = source in BUNDLED or path.exists()
    if local and options.revision is not None:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Revision {options.revision!r} was given for {source}, which is on this machine. Only a "
            "model of the Hugging Face hub has revisions.",
            revision=options.revision,
        )
    if source in BUNDLED:
        return Found(_bundled(source, cache_folder), None)
    if path.is_dir():
        return Found(path.resolve(), None)
    if path.is_file():
        return Found(_converted(path.resolve(), cache_folder, job), None)
    if path.suffix == ".gguf" or _HUB_ID.fullmatch(source) is None:
        raise DepthkitError(
            "MODEL_NOT_FOUND",
            f"There is no folder or file {source}. A model is a bundled name ({', '.join(BUNDLED)}), "
            "a folder, a .gguf file or a hub id such as HuggingFaceTB/SmolLM2-360M.",
            source=source,
            bundled=list(BUNDLED),
        )
    folder = fetch_model(source, options.revision, job, with_code=options.trust_remote_code)
    return Found(folder, folder.name)


def find_adapter(source: str, job: Job) -> Path:
    """The folder of an adapter: a folder, or a hub id (fetched)."""
    path = Path(source)
    if path.is_dir():
        return path.resolve()
    if path.exists() or _HUB_ID.fullmatch(source) is None:
        raise DepthkitError(
            "MODEL_NOT_FOUND",
            f"There is no folder {source} with an adapter. An adapter is a folder, or a hub id.",
            source=source,
        )
    return fetch_model(source, None, job, with_code=False)


def _bundled(source: str, cache_folder: Path) -> Path:
    folder = bundled_folder(source, cache_folder)
    manifest = read_manifest(folder)
    if manifest is None or manifest.sha256 != BUNDLED[source]:
        raise DepthkitError(
            "MODEL_NOT_FOUND",
            f"The bundled model {source} is not in {folder}, or not whole. Run `npx depthkit setup`.",
            source=source,
            folder=str(folder),
        )
    return folder


def _converted(gguf: Path, cache_folder: Path, job: Job) -> Path:
    if gguf.suffix != ".gguf":
        raise DepthkitError(
            "UNSUPPORTED_FORMAT",
            f"{gguf} is a file that is no .gguf. A model is a folder with a config.json, or a .gguf file.",
            source=str(gguf),
        )
    digest = sha256_of_files([gguf], job.check)
    folder = cache_folder / "models" / f"gguf-{digest[:GGUF_DIGEST_LETTERS]}"
    convert_in_child(Conversion(gguf, folder, digest), job)
    return folder
