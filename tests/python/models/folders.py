"""Checkpoints on disk, whole and spoilt, and what loading them says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from depthkit_worker.contract.wire import ModelOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import load_model
from depthkit_worker.session.job import Unattended


def saved(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def loaded(source: Path | str, cache: Path, **others: object) -> Decoder:
    options = ModelOptions(**{"device": "cpu", **others})  # type: ignore[arg-type]
    return load_model(str(source), cache, options, Unattended())


def refusal(source: Path | str, cache: Path, **others: object) -> DepthkitError:
    with pytest.raises(DepthkitError) as failure:
        loaded(source, cache, **others)
    return failure.value


def config_of(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return content


def change_config(folder: Path, **changes: object) -> None:
    (folder / "config.json").write_text(json.dumps({**config_of(folder), **changes}))
