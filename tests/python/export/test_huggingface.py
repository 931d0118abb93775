"""Exports, loaded again by stock transformers, against the model in memory."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import DynamicCache, PreTrainedTokenizerBase

from depthkit_worker.contract.wire import ExportOptions, ModelOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.huggingface import export_huggingface
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import load_model
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from export.checkpoints import block_numbers, greedy, logits, reload, save, saved_config, tensor_names
from tiny import FAMILY_MODELS, SMOLLM2_VOCABULARY, t_gemma3, t_llama, t_smollm3, tiny_model, token_ids

BLOCKS = (Unit("block", 1), Unit("block", 4))


@pytest.fixture
def source(tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase) -> Path:
    """T-llama on disk, in shards: T-llama-sharded."""
    folder = tmp_path / "source"
    t_llama().save_pretrained(folder, max_shard_size="320KB")
    smollm2_tokenizer.save_pretrained(folder)
    assert len(list(folder.glob("*.safetensors"))) == 5
    return folder


def load(folder: Path, **options: Any) -> Decoder:
    return load_model(str(folder), folder.parent, ModelOptions(device="cpu", **options), Unattended())


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_the_reloaded_model_is_the_one_in_memory(name: str, tmp_path: Path) -> None:
    decoder = Decoder(tiny_model(name))
    ids = token_ids(2, 11)
    before = logits(decoder.model, ids)
    result = save(decoder, BLOCKS, tmp_path / "out")
    model = reload(tmp_path / "out")
    with removed(Subnetwork(decoder, BLOCKS)):
        expected = logits(decoder.model, ids)
        expected_ids = greedy(decoder.model, ids[:1], cache=DynamicCache())
    if name == "gpt2-inverse-scaling":  # The fold rounds once.
        assert torch.allclose(logits(model, ids), expected, atol=1e-5)
    else:
        assert torch.equal(logits(model, ids), expected)
    assert greedy(model, ids[:1]) == expected_ids
    assert torch.equal(logits(decoder.model, ids), before)
    assert result.kept_blocks == (0, 2, 3, 5)
    assert result.parameters_after == sum(parameter.numel() for parameter in model.parameters())
    assert block_numbers(tmp_path / "out") == {0, 1, 2, 3}
    assert result.kv_bytes_per_token_after * 6 == result.kv_bytes_per_token_before * 4


def test_exp1_the_full_attention_block_goes_with_its_label(tmp_path: Path) -> None:
    decoder = Decoder(t_gemma3())
    units = (Unit("block", 1), Unit("block", 5))
    save(decoder, units, tmp_path / "o")
    assert saved_config(tmp_path / "o")["layer_types"] == ["sliding_attention"] * 5
    ids = token_ids(2, 11)
    with removed(Subnetwork(decoder, units)):
        assert torch.equal(logits(reload(tmp_path / "o"), ids), logits(decoder.model, ids))


def test_exp1_blocks_without_rotary_positions_keep_their_labels(tmp_path: Path) -> None:
    decoder = Decoder(t_smollm3())
    units = (Unit("block", 0), Unit("block", 3))
    save(decoder, units, tmp_path / "o")
    assert saved_config(tmp_path / "o")["no_rope_layers"] == [1, 1, 1, 1, 1, 0]
    ids = token_ids(2, 11)
    with removed(Subnetwork(decoder, units)):
        assert torch.equal(logits(reload(tmp_path / "o"), ids), logits(decoder.model, ids))


def test_exp1_a_list_of_token_ids_as_long_as_the_model_is_deep_stays(tmp_path: Path) -> None:
    model = tiny_model("llama")
    model.config.eos_token_id = [2, 3, 4, 5, 6, 7]
    save(Decoder(model), BLOCKS, tmp_path / "o")
    assert saved_config(tmp_path / "o")["eos_token_id"] == [2, 3, 4, 5, 6, 7]


def test_exp3_no_old_shard_survives(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "o"
    decoder = load(source)
    units = (Unit("block", 1), Unit("block", 2))
    save(decoder, (), target, max_shard_bytes=200_000)
    with pytest.raises(DepthkitError, match=re.escape(str(target))) as failure:
        save(decoder, units, target)
    assert failure.value.code == "TARGET_NOT_EMPTY"
    result = save(decoder, units, target, overwrite=True, max_shard_bytes=300_000)
    index = json.loads((target / "model.safetensors.index.json").read_text())
    assert {path.name for path in target.glob("*.safetensors")} == set(index["weight_map"].values())
    assert block_numbers(target) == {0, 1, 2, 3}
    assert {path.name for path in target.iterdir()} == {file.name for file in result.files}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o", "source"]
    reload(target)


def test_exp3_a_folder_that_is_no_model_is_never_replaced(source: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(DepthkitError, match=r"no depthkit\.json"):
        save(load(source), (), tmp_path / "photos", overwrite=True)
    with pytest.raises(DepthkitError, match="the model itself"):
        save(load(source), (), source, overwrite=True)


def test_exp5_invalid_generation_settings_are_repaired_with_one_warning(source: Path, tmp_path: Path) -> None:
    settings = {"do_sample": False, "temperature": 0.9, "eos_token_id": 2, "max_length": 99}
    (source / "generation_config.json").write_text(json.dumps(settings))
    result = save(load(source), (Unit("block", 1),), tmp_path / "o")
    assert len(result.warnings) == 1
    assert "temperature" in result.warnings[0]
    model = reload(tmp_path / "o")
    assert model.generation_config.eos_token_id == 2
    written = json.loads((tmp_path / "o" / "generation_config.json").read_text())
    assert written == {"do_sample": False, "eos_token_id": 2, "max_length": 99}
    model.save_pretrained(tmp_path / "again")


def test_exp5_valid_generation_settings_pass_unchanged(source: Path, tmp_path: Path) -> None:
    settings = {"do_sample": True, "temperature": 0.9, "top_k": 7, "eos_token_id": [2, 0]}
    (source / "generation_config.json").write_text(json.dumps(settings))
    assert save(load(source), (Unit("block", 1),), tmp_path / "o").warnings == ()
    assert json.loads((tmp_path / "o" / "generation_config.json").read_text()) == settings


def test_exp7_the_file_shrinks_by_what_was_removed(source: Path, tmp_path: Path) -> None:
    """Loaded as float32 from a bfloat16 checkpoint, written as bfloat16."""
    half = tmp_path / "half"
    shutil.copytree(source, half, ignore=shutil.ignore_patterns("*.safetensors", "*.index.json"))
    t_llama(dtype=torch.bfloat16).save_pretrained(half)
    decoder = load(half, dtype="float32")
    units = (Unit("block", 2), Unit("block", 3), Unit("block", 4))
    result = save(decoder, units, tmp_path / "o")
    assert set(tensor_names(tmp_path / "o").values()) == {"BF16"}
    assert saved_config(tmp_path / "o")["dtype"] == "bfloat16"
    gone = sum(parameter.numel() for index in (2, 3, 4) for parameter in decoder.blocks[index].parameters())
    assert result.parameters_before - result.parameters_after == gone
    assert result.weight_bytes_before - result.weight_bytes_after == 2 * gone
    sizes = [(folder / "model.safetensors").stat().st_size for folder in (half, tmp_path / "o")]
    header_bytes = 4096
    assert abs(sizes[0] - sizes[1] - 2 * gone) < header_bytes
    assert (result.kv_bytes_per_token_before, result.kv_bytes_per_token_after) == (
        6 * 2 * 2 * 16 * 2,
        3 * 2 * 2 * 16 * 2,
    )
    # bfloat16 to float32 and back loses nothing.
    name = "model.layers.1.mlp.up_proj.weight"
    assert torch.equal(
        load(tmp_path / "o").model.get_parameter(name).float(), decoder.model.get_parameter(name)
    )
    assert save(load(half, dtype="bfloat16"), units, tmp_path / "wide", dtype="float32").dtype == "float32"


def test_exp7_writing_more_precision_than_was_loaded_is_said(source: Path, tmp_path: Path) -> None:
    result = save(load(source, dtype="bfloat16"), BLOCKS, tmp_path / "o")
    assert result.dtype == "float32"
    assert "precision" in result.warnings[0]


@pytest.mark.parametrize("tied", [False, True])
def test_int4_the_files_hold_no_tensor_too_many(
    tied: bool, tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase
) -> None:
    decoder = Decoder(t_llama(tied=tied), smollm2_tokenizer)
    result = save(decoder, BLOCKS, tmp_path / "o", max_shard_bytes=300_000)
    assert saved_config(tmp_path / "o")["num_hidden_layers"] == 4
    assert block_numbers(tmp_path / "o") == {0, 1, 2, 3}
    index = json.loads((tmp_path / "o" / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == set(tensor_names(tmp_path / "o"))
    assert index["metadata"]["total_size"] == result.weight_bytes_after == 4 * result.parameters_after
    assert ("lm_head.weight" in index["weight_map"]) is not tied
    model = reload(tmp_path / "o")
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    assert (head.weight is embedding.weight) is tied
    ids = token_ids(1, 6, SMOLLM2_VOCABULARY)
    with removed(Subnetwork(decoder, BLOCKS)):
        assert torch.equal(logits(model, ids), logits(decoder.model, ids))


def test_met5_removing_both_sublayers_exports_the_block(tmp_path: Path) -> None:
    decoder = Decoder(tiny_model("gpt_neox-parallel"))
    result = save(decoder, (Unit("attention", 1), Unit("feed-forward", 1)), tmp_path / "o")
    assert [str(unit) for unit in result.removed] == ["block.1"]


def test_transformers_4_finds_its_keys(source: Path, tmp_path: Path) -> None:
    save(load(source), BLOCKS, tmp_path / "o")
    config = saved_config(tmp_path / "o")
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"]
    tokenizer = json.loads((tmp_path / "o" / "tokenizer_config.json").read_text())
    assert tokenizer["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert load(tmp_path / "o").tokenizer is not None


def test_the_card_names_source_units_and_digests(source: Path, tmp_path: Path) -> None:
    decoder = load(source)
    result = save(decoder, BLOCKS, tmp_path / "o", note="Lowest cosine influence.")
    card = (tmp_path / "o" / "README.md").read_text()
    units, kept, digest = "`block.1`, `block.4`", "0, 2, 3, 5", decoder.source.weights_digest
    for fact in (f"`{source.name}`", units, kept, digest, "Lowest cosine"):
        assert fact in card
    assert result.weights_digest in card
    assert load(tmp_path / "o").source.weights_digest == result.weights_digest


@pytest.mark.parametrize(
    ("units", "code"),
    [
        (tuple(Unit("attention", index) for index in range(6)), "EXPORT_UNSUPPORTED"),
        (tuple(Unit("block", index) for index in range(6)), "INVALID_ARGUMENT"),
        ((Unit("block", 6),), "INVALID_ARGUMENT"),
    ],
)
def test_what_the_format_cannot_hold_is_refused_before_anything_is_written(
    units: tuple[Unit, ...], code: str, tmp_path: Path
) -> None:
    with pytest.raises(DepthkitError) as failure:
        save(Decoder(tiny_model("llama")), units, tmp_path / "o")
    assert failure.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_export_leaves_the_old_folder_and_nothing_else(source: Path, tmp_path: Path) -> None:
    class AfterOneShard(Unattended):
        def __init__(self) -> None:
            self.written = 0

        def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
            self.written = done

        def check(self) -> None:
            if self.written:
                raise cancelled()

    target = tmp_path / "o"
    save(load(source), (), target)
    before = sorted((path.name, path.stat().st_size) for path in target.iterdir())
    options = ExportOptions(overwrite=True)
    with pytest.raises(DepthkitError, match="cancelled"):
        export_huggingface(
            Subnetwork(load(source), BLOCKS), target, options, AfterOneShard(), max_shard_bytes=300_000
        )
    assert sorted((path.name, path.stat().st_size) for path in target.iterdir()) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o", "source"]


def test_a_full_disk_is_said_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1000))
    with pytest.raises(DepthkitError) as failure:
        save(Decoder(tiny_model("llama")), BLOCKS, tmp_path / "o")
    assert failure.value.code == "DISK_FULL"
