"""What tests read from outside the repository; where it is not there, they are skipped and say so."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import LoadOptions, load_model
from depthkit_worker.session.job import Unattended

REPOSITORY = Path(__file__).parents[3]


def shared() -> Path:
    """The folder with reference data: DEPTHKIT_SHARED, or `shared` beside the repository."""
    folder = Path(os.environ.get("DEPTHKIT_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}; name its folder in DEPTHKIT_SHARED")
    return folder


def golden(name: str) -> Any:
    return json.loads((shared() / "golden" / name).read_text())


@functools.cache
def smollm2(folder: Path) -> Decoder:
    """The bundled model in fp32, loaded once a session."""
    options = LoadOptions(str(folder), cache_folder=folder.parent, dtype="float32", device="cpu")
    return load_model(options, Unattended())
