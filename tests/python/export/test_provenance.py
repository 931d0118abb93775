"""Where an export came from stands in it: for programs, for the hub and for lawyers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub.repocard import metadata_load
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import ExportOptions, ModelOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.huggingface import export_huggingface
from depthkit_worker.models.load import load_model
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import t_llama

CARD = """---
license: other
license_name: llama3
license_link: LICENSE
language:
- en
- fr
base_model: someone/base
datasets:
- nobody/asks
---
# A model
"""


@pytest.fixture
def source(tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase) -> Path:
    folder = tmp_path / "private" / "llama-tuned"
    t_llama().save_pretrained(folder)
    smollm2_tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(CARD)
    (folder / "LICENSE").write_text("Keep this text.")
    (folder / "NOTICE.txt").write_text("And this.")
    return folder


def export(source: Path, target: Path, *blocks: int) -> None:
    decoder = load_model(str(source), source.parent, ModelOptions(device="cpu"), Unattended())
    units = tuple(Unit("block", block) for block in blocks)
    export_huggingface(Subnetwork(decoder, units), target, ExportOptions(note="By hand."), Unattended())


def test_licence_files_and_what_the_card_says_of_them_are_kept(source: Path, tmp_path: Path) -> None:
    export(source, tmp_path / "out", 1)
    assert (tmp_path / "out" / "LICENSE").read_text() == "Keep this text."
    assert (tmp_path / "out" / "NOTICE.txt").read_text() == "And this."
    front = metadata_load(tmp_path / "out" / "README.md")
    assert front == {
        "license": "other",
        "license_name": "llama3",
        "license_link": "LICENSE",
        "language": ["en", "fr"],
        "base_model": "someone/base",
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["depth-pruning"],
    }


def test_a_second_export_names_the_first_source_and_both_steps(source: Path, tmp_path: Path) -> None:
    export(source, tmp_path / "first", 1)
    export(tmp_path / "first", tmp_path / "second", 0, 2)
    content = json.loads((tmp_path / "second" / "depthkit.json").read_text())
    assert content["source"]["name"] == "llama-tuned"
    assert content["source"]["license"] == "other"
    first, second = content["steps"]
    assert (first["removed"], second["removed"]) == (["block.1"], ["block.0", "block.2"])
    assert first["fromWeights"] == content["source"]["weights"]
    assert second["fromWeights"] == first["weights"]
    assert second["note"] == "By hand."
    card = (tmp_path / "second" / "README.md").read_text()
    assert "| Made from | `llama-tuned` |" in card
    assert "| Export 1 of 2 removed | `block.1` |" in card
    for name in ("README.md", "depthkit.json"):
        assert str(tmp_path) not in (tmp_path / "second" / name).read_text()


def test_front_matter_or_a_history_that_cannot_be_read_is_refused_by_its_file(
    source: Path, tmp_path: Path
) -> None:
    (source / "README.md").write_text("---\n[license\n---\n")
    with pytest.raises(DepthkitError, match=r"README\.md.*front matter"):
        export(source, tmp_path / "out", 1)
    (source / "README.md").unlink()
    (source / "depthkit.json").write_text('{"version": 2}')
    with pytest.raises(DepthkitError, match=r"depthkit\.json should say"):
        export(source, tmp_path / "out", 1)
    assert not (tmp_path / "out").exists()
