"""The tokenizer of an export, read as a user reads it, splits text as the model's own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer, LlamaConfig, Qwen2Config

from data.builders import LLAMA3_SPLIT, byte_level, sentence_piece
from depthkit_worker.contract.wire import ExportCheckParams, ModelOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.check_checkpoint import check_checkpoint
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import load_model
from depthkit_worker.models.tokenizer_probes import TEXTS
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from export.checkpoints import save
from tiny import SHAPE, random_model

UNITS = (Unit("block", 1),)
OWN_CLASS = """
from transformers import PreTrainedTokenizerFast


class OwnTokenizer(PreTrainedTokenizerFast):
    def _encode_plus(self, text, *arguments, **options):
        return super()._encode_plus(text.lower(), *arguments, **options)
"""


def qwen2() -> Qwen2Config:
    return Qwen2Config(**{**SHAPE, "vocab_size": 1000})


@pytest.mark.parametrize("foreign", [sentence_piece(bos=True), byte_level(split=LLAMA3_SPLIT)])
def test_a_class_that_the_library_forces_on_a_tokenizer_is_noted_and_stays_the_sources(
    foreign: object, tmp_path: Path
) -> None:
    source, target = tmp_path / "source", tmp_path / "o"
    random_model(qwen2()).save_pretrained(source)
    foreign.save_pretrained(source)  # type: ignore[attr-defined]
    decoder = load_model(str(source), tmp_path, ModelOptions(device="cpu"), Unattended())
    (note,) = decoder.source.notes
    assert "Qwen2Tokenizer" in note and "not as tokenizer.json says" in note
    result = save(decoder, UNITS, target)
    assert any("Qwen2Tokenizer" in one for one in result.notes)
    assert "Qwen2Tokenizer" in (target / "README.md").read_text()
    written, own = AutoTokenizer.from_pretrained(target), AutoTokenizer.from_pretrained(source)
    assert [written.encode(text) for text in TEXTS] == [own.encode(text) for text in TEXTS]


def test_a_class_that_reads_alike_is_not_noted(tmp_path: Path) -> None:
    source = tmp_path / "source"
    random_model(qwen2()).save_pretrained(source)
    AutoTokenizer.from_pretrained(_qwen2_files(tmp_path / "made")).save_pretrained(source)
    settings = json.loads((source / "tokenizer_config.json").read_text())
    (source / "tokenizer_config.json").write_text(
        json.dumps({**settings, "tokenizer_class": "PreTrainedTokenizerFast"})
    )
    decoder = load_model(str(source), tmp_path, ModelOptions(device="cpu"), Unattended())
    assert decoder.source.notes == ()
    assert save(decoder, UNITS, tmp_path / "o").notes == ()


def test_a_tokenizer_that_no_file_can_hold_under_the_models_type_is_refused(tmp_path: Path) -> None:
    decoder = Decoder(random_model(qwen2()), sentence_piece(bos=True))
    with pytest.raises(DepthkitError, match="as the model's own: ' leading") as failure:
        save(decoder, UNITS, tmp_path / "o")
    assert failure.value.code == "EXPORT_UNSUPPORTED"
    assert list(tmp_path.iterdir()) == []


def test_a_tokenizer_with_code_of_its_own_arrives_with_it(tmp_path: Path) -> None:
    source = tmp_path / "source"
    random_model(LlamaConfig(**{**SHAPE, "vocab_size": 1000})).save_pretrained(source)
    byte_level().save_pretrained(source)
    (source / "tokenization_own.py").write_text(OWN_CLASS)
    settings = json.loads((source / "tokenizer_config.json").read_text())
    settings |= {
        "tokenizer_class": "OwnTokenizer",
        "auto_map": {"AutoTokenizer": [None, "tokenization_own.OwnTokenizer"]},
    }
    (source / "tokenizer_config.json").write_text(json.dumps(settings))
    options = ModelOptions(device="cpu", trust_remote_code=True)
    save(load_model(str(source), tmp_path, options, Unattended()), UNITS, tmp_path / "o")
    own, written = (
        AutoTokenizer.from_pretrained(folder, trust_remote_code=True) for folder in (source, tmp_path / "o")
    )
    assert written.encode("LOUD") == own.encode("LOUD") == own.encode("loud")


def test_a_check_hears_of_a_tokenizer_that_reads_words_alike_and_accents_otherwise(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "o"
    random_model(LlamaConfig(**{**SHAPE, "vocab_size": 1000})).save_pretrained(source)
    byte_level().save_pretrained(source)
    save(load_model(str(source), tmp_path, ModelOptions(device="cpu"), Unattended()), UNITS, target)
    assert check_checkpoint(ExportCheckParams(folder=str(target)), Unattended()).same_tokens
    content = json.loads((target / "tokenizer.json").read_text())
    (target / "tokenizer.json").write_text(json.dumps({**content, "normalizer": {"type": "NFC"}}))
    assert not check_checkpoint(ExportCheckParams(folder=str(target)), Unattended()).same_tokens


def _qwen2_files(folder: Path) -> Path:
    """A tokenizer that splits text by Qwen 2's rule."""
    byte_level().save_pretrained(folder)
    qwen2().save_pretrained(folder)
    return folder
