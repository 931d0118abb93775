"""The file that marks a converted model folder as whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from depthkit_worker.models.folders import files_in, sha256_of_files

MANIFEST = "depthkit-model.json"


@dataclass(frozen=True)
class Manifest:
    source: str
    """The converted file's name."""
    sha256: str
    """Its digest."""


def write_manifest(folder: Path, manifest: Manifest, check: Callable[[], None]) -> None:
    """Describe every file in `folder`. Written last: a folder without it was interrupted."""
    files = {
        name: {"bytes": path.stat().st_size, "sha256": sha256_of_files([path], check)}
        for name, path in files_in(folder)
    }
    content = {
        "source": manifest.source,
        "sha256": manifest.sha256,
        "files": files,
        "versions": {name: version(name) for name in ("transformers", "torch", "gguf", "safetensors")},
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a whole folder; None where it is missing or a file has another size than it had
    when it was written."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        whole = all(
            (folder / name).stat().st_size == expected["bytes"] for name, expected in content["files"].items()
        )
        return Manifest(content["source"], content["sha256"]) if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
