"""What goes with the weights: every chat template, in both layouts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from depthkit_worker.contract.wire import ModelOptions
from depthkit_worker.models.load import load_model
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from export.checkpoints import save
from tiny import t_llama

TEMPLATES = {"default": "D {{ messages[0].content }}", "tool_use": "T {{ messages[0].content }}"}
UNITS = {"plain": (Unit("block", 1),), "depthkit": (Unit("attention", 1),)}


def as_files(folder: Path, settings: dict[str, Any]) -> None:
    """As transformers 5 saves them."""
    (folder / "chat_template.jinja").write_text(TEMPLATES["default"])
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text(TEMPLATES["tool_use"])


def as_list(folder: Path, settings: dict[str, Any]) -> None:
    """As checkpoints were published before."""
    settings["chat_template"] = [{"name": name, "template": text} for name, text in TEMPLATES.items()]


@pytest.mark.parametrize("write", [as_files, as_list])
@pytest.mark.parametrize("layout", UNITS)
def test_every_chat_template_arrives(
    layout: str, write: Any, tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase
) -> None:
    source = tmp_path / "source"
    t_llama().save_pretrained(source)
    smollm2_tokenizer.save_pretrained(source)
    (source / "chat_template.jinja").unlink(missing_ok=True)
    settings = json.loads((source / "tokenizer_config.json").read_text())
    write(source, settings)
    (source / "tokenizer_config.json").write_text(json.dumps(settings))
    decoder = load_model(str(source), tmp_path, ModelOptions(device="cpu"), Unattended())
    result = save(decoder, UNITS[layout], tmp_path / "o")
    assert result.layout == layout
    assert AutoTokenizer.from_pretrained(tmp_path / "o").chat_template == TEMPLATES
    written = {
        path.relative_to(tmp_path / "o").as_posix() for path in (tmp_path / "o").rglob("*") if path.is_file()
    }
    assert {file.name for file in result.files} == written
