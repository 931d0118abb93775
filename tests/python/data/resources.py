"""What tests read from outside the repository; where it is not there, they are skipped and say so."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest

from depthkit_worker.contract.wire import ModelOptions, RowFiles
from depthkit_worker.data.rows import read_source
from depthkit_worker.data.templates import ALIASES, FORMAT_NAMES, Format, Question, named_format
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import load_model
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
    """The bundled model in fp32, loaded once per session."""
    options = ModelOptions(dtype="float32", device="cpu")
    return load_model(str(folder), folder.parent, options, Unattended())


def questions_of(path: Path) -> tuple[Format, list[Question]]:
    """All rows of a file as the format that its first one names reads them."""
    rows = read_source(RowFiles(files=(str(path),)), Unattended())
    name = rows[0].text("task")
    format_ = named_format(next(known for known in FORMAT_NAMES if known == ALIASES.get(name, name)))
    return format_, [format_.read(row) for row in rows]
