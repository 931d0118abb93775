"""What lies in a checkpoint beside the weights of its blocks: adapters, old buffers, prediction layers, lists
and marks that do not fit. What was loaded is what the digest names, what the notes say and what is
exported."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase

from depthkit_worker.contract.wire import ExportOptions
from depthkit_worker.export.huggingface import export_huggingface
from depthkit_worker.models.folders import sha256_of_files
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from models.folders import change_config, config_of, loaded, refusal, saved
from tiny import SMOLLM2_VOCABULARY, random_model, t_llama, t_smollm3, tiny_model, token_ids

IDS = token_ids(2, 9, SMOLLM2_VOCABULARY)
WEIGHTS = "model.safetensors"


@pytest.fixture
def source(tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase) -> Path:
    return saved(t_llama(), smollm2_tokenizer, tmp_path / "source")


def logits(model: nn.Module, ids: Tensor = IDS) -> Tensor:
    found: Tensor = model(input_ids=ids, use_cache=False).logits
    return found


def change_weights(folder: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS, {"format": "pt"}
    )


def exported(folder: Path, source: Path, ids: Tensor = IDS) -> dict[str, Any]:
    """Exports what loading `source` gives, checks that stock transformers answers alike, and gives the
    config."""
    decoder = loaded(source, source.parent)
    expected = logits(decoder.model, ids)
    export_huggingface(Subnetwork.dense(decoder), folder, ExportOptions(), Unattended())
    read: Any = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    model, report = read
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert torch.equal(logits(model, ids), expected)
    return config_of(folder)


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    """A LoRA that changes the model much."""
    folder = tmp_path / "adapter"
    made = get_peft_model(
        t_llama(), LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    )
    for name, parameter in made.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.2)
    made.save_pretrained(str(folder))
    change = json.loads((folder / "adapter_config.json").read_text())
    change["base_model_name_or_path"] = "someone/the-base"
    (folder / "adapter_config.json").write_text(json.dumps(change))
    return folder


def test_an_adapter_beside_the_weights_is_told_and_not_applied(
    source: Path, adapter: Path, tmp_path: Path
) -> None:
    plain = logits(loaded(source, tmp_path).model)
    with_adapter = logits(PeftModel.from_pretrained(t_llama(), str(adapter)))
    for path in adapter.glob("adapter_*"):
        shutil.copy(path, source)
    assert torch.equal(logits(AutoModelForCausalLM.from_pretrained(source)), with_adapter), (
        "transformers applies it"
    )
    decoder = loaded(source, tmp_path)
    assert torch.equal(logits(decoder.model), plain)
    assert not torch.equal(plain, with_adapter)
    assert decoder.source.weights_digest == sha256_of_files([source / WEIGHTS], lambda: None)
    (note,) = decoder.source.notes
    assert "adapter_config.json, adapter_model.safetensors" in note
    assert "it was not applied" in note
    assert "--adapter" in note
    exported(tmp_path / "out", source)
    assert not list((tmp_path / "out").glob("adapter*"))


def test_adapter_weights_without_their_description_are_told(source: Path, tmp_path: Path) -> None:
    (source / "adapter_model.bin").write_bytes(b"anything")
    (note,) = loaded(source, tmp_path).source.notes
    assert "adapter_model.bin" in note


@pytest.mark.parametrize("config", [False, True])
def test_a_folder_with_an_adapter_alone_is_named_as_one(
    config: bool, source: Path, adapter: Path, tmp_path: Path
) -> None:
    if config:  # Some trainers save the model's configuration beside the adapter.
        shutil.copy(source / "config.json", adapter)
    failure = refusal(adapter, tmp_path)
    assert failure.code == "MODEL_INVALID"
    assert "a LORA adapter of someone/the-base" in failure.message
    assert "--adapter" in failure.message
    assert failure.details["base"] == "someone/the-base"


def test_two_matrices_marked_as_tied_stay_two(
    tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase
) -> None:
    source = saved(t_llama(), smollm2_tokenizer, tmp_path / "source")
    change_config(source, tie_word_embeddings=True)
    decoder = loaded(source, tmp_path)
    assert torch.equal(logits(decoder.model), logits(t_llama()))
    (note,) = decoder.source.notes
    assert "two different matrices" in note
    assert exported(tmp_path / "out", source)["tie_word_embeddings"] is False


def test_two_equal_matrices_marked_as_tied_are_tied(
    tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase
) -> None:
    source = saved(t_llama(tied=True), smollm2_tokenizer, tmp_path / "source")
    change_weights(
        source, lambda tensors: tensors.update({"lm_head.weight": tensors["model.embed_tokens.weight"] + 0})
    )
    assert loaded(source, tmp_path).source.notes == ()
    assert exported(tmp_path / "out", source)["tie_word_embeddings"] is True


def test_a_per_block_list_that_is_too_long_is_cut(
    tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase
) -> None:
    source = saved(t_smollm3(), smollm2_tokenizer, tmp_path / "source")
    listed = config_of(source)["no_rope_layers"]
    change_config(source, no_rope_layers=[*listed, 1, 0])
    assert "no_rope_layers" in loaded(source, tmp_path).source.notes[0]
    assert exported(tmp_path / "out", source, token_ids(2, 9))["no_rope_layers"] == listed
    change_config(source, no_rope_layers=listed[:-1])
    failure = refusal(source, tmp_path)
    assert failure.code == "MODEL_INVALID"
    assert "no_rope_layers has 7 entries for 8 blocks" in failure.message


@pytest.mark.parametrize("name", ["gpt2", "gpt_neox-parallel", "llama"])
def test_old_buffers_are_no_reason_to_refuse(
    name: str, tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase
) -> None:
    source = saved(tiny_model(name), smollm2_tokenizer, tmp_path / "source")
    ids = token_ids(2, 9)
    plain = logits(loaded(source, tmp_path).model, ids)
    prefix = {"gpt2": "h.0.attn", "gpt_neox-parallel": "gpt_neox.layers.0.attention"}.get(
        name, "model.layers.0.self_attn"
    )
    buffers = {
        f"{prefix}.masked_bias": torch.tensor(-1e9),
        f"{prefix}.bias": torch.ones(1, 1, 8, 8).tril().bool(),
        f"{prefix}.rotary_emb.inv_freq": torch.ones(4),
    }
    change_weights(source, lambda tensors: tensors.update(buffers))
    decoder = loaded(source, tmp_path)
    assert torch.equal(logits(decoder.model, ids), plain)
    assert decoder.source.notes == ()
    if name == "gpt_neox-parallel":
        return  # Its own class ignores the name, whatever stands under it.
    # What only bears the name of one is told as what it is.
    change_weights(source, lambda tensors: tensors.update({f"{prefix}.masked_bias": torch.ones(8)}))
    assert refusal(source, tmp_path).details["unexpected"][0].endswith(f"{prefix}.masked_bias")


@pytest.mark.parametrize(
    "names",
    [
        ["model.layers.6.eh_proj.weight", "model.layers.6.enorm.weight", "model.layers.6.mlp.up_proj.weight"],
        ["mtp.layers.0.mlp.up_proj.weight", "mtp.fc.weight"],
        ["model.mtp_layers.0.mlp.up_proj.weight"],
    ],
)
def test_prediction_layers_are_named_and_left_out(names: list[str], source: Path, tmp_path: Path) -> None:
    plain = logits(loaded(source, tmp_path).model)
    change_weights(source, lambda tensors: tensors.update({name: torch.ones(4, 4) for name in names}))
    decoder = loaded(source, tmp_path)
    assert torch.equal(logits(decoder.model), plain)
    (note,) = decoder.source.notes
    assert f"layers for multi-token prediction beyond the model's 6 blocks ({len(names)} tensors" in note
    exported(tmp_path / "out", source)


def test_blocks_beyond_the_depth_are_told_as_blocks(source: Path, tmp_path: Path) -> None:
    change_config(source, num_hidden_layers=4)
    failure = refusal(source, tmp_path)
    assert failure.code == "MODEL_INVALID"
    assert "It has 4 blocks, and the weights hold 4, 5 too." in failure.message


def test_no_quantisation_is_not_quantised(source: Path, tmp_path: Path) -> None:
    change_config(source, quantization_config=None)
    assert torch.equal(logits(loaded(source, tmp_path).model), logits(t_llama()))


def test_other_weights_than_the_checkpoints_are_not_read(source: Path, tmp_path: Path) -> None:
    random_model(t_llama().config, seed=1).save_pretrained(tmp_path / "other")
    shutil.copy(tmp_path / "other" / WEIGHTS, source / "other.safetensors")
    change_config(source, transformers_weights="other.safetensors")
    assert "transformers_weights is 'other.safetensors'" in refusal(source, tmp_path).message
    change_config(source, transformers_weights=None)
    (source / "shard-00001-model-00001-of-00001.safetensors").write_bytes(b"")
    assert "shard-00001-model-00001-of-00001.safetensors" in refusal(source, tmp_path).message
