"""A LoRA adapter merged at loading: peft's own answers, its own digest, and nothing half applied."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase

from depthkit_worker.models.units import Unit
from export.checkpoints import reload, save
from models.adapters import CONFIG, WEIGHTS, change_config, change_tensors, made
from models.folders import loaded, refusal, saved
from tiny import SMOLLM2_VOCABULARY, t_llama, token_ids

IDS = token_ids(2, 9, SMOLLM2_VOCABULARY)


def logits(model: nn.Module) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(input_ids=IDS, use_cache=False).logits
    return found


@pytest.fixture
def base(tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase) -> Path:
    return saved(t_llama(), smollm2_tokenizer, tmp_path / "base")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_rslora": True, "lora_alpha": 3},
        {"use_dora": True},
        {"modules_to_save": ["lm_head"]},
        {"target_modules": "all-linear", "rank_pattern": {"q_proj": 2}},
    ],
)
def test_the_model_is_pefts_own(options: dict[str, Any], base: Path, tmp_path: Path) -> None:
    adapter = made(tmp_path / "adapter", **options)
    expected = logits(
        PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(adapter)).eval()
    )
    plain, merged = loaded(base, tmp_path), loaded(base, tmp_path, adapter=str(adapter))
    torch.testing.assert_close(logits(merged.model), expected, atol=5e-5, rtol=0)
    assert not torch.allclose(logits(plain.model), expected, atol=1e-2)
    assert type(merged.model) is type(plain.model)
    assert [name for name, _ in merged.model.named_parameters()] == [
        name for name, _ in plain.model.named_parameters()
    ]
    assert not any(parameter.requires_grad for parameter in merged.model.parameters())
    (note,) = merged.source.notes
    assert str(adapter) in note and "merged" in note


def test_the_digest_covers_base_and_adapter(base: Path, tmp_path: Path) -> None:
    adapter = made(tmp_path / "adapter")
    plain = loaded(base, tmp_path).source.weights_digest
    merged = loaded(base, tmp_path, adapter=str(adapter)).source.weights_digest
    assert merged == loaded(base, tmp_path, adapter=str(adapter)).source.weights_digest != plain
    content = json.loads((adapter / CONFIG).read_text())
    (adapter / CONFIG).write_text(json.dumps({**content, "lora_alpha": content["lora_alpha"] * 2}))
    stronger = loaded(base, tmp_path, adapter=str(adapter)).source.weights_digest
    assert len({plain, merged, stronger}) == 3


def test_it_is_pruned_and_exported_merged(base: Path, tmp_path: Path) -> None:
    decoder = loaded(base, tmp_path, adapter=str(made(tmp_path / "adapter")))
    save(decoder, (Unit("block", 2),), tmp_path / "o")
    model = reload(tmp_path / "o")
    merged = decoder.model.get_parameter("model.layers.3.self_attn.q_proj.weight")
    assert torch.equal(model.get_parameter("model.layers.2.self_attn.q_proj.weight"), merged)
    assert not (tmp_path / "o" / CONFIG).exists()
    name = json.loads((tmp_path / "o" / "depthkit.json").read_text())["source"]["name"]
    assert name == "base with the adapter adapter merged"


def test_a_head_of_its_own_unties(tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase) -> None:
    base = saved(t_llama(tied=True), smollm2_tokenizer, tmp_path / "base")
    adapter = made(tmp_path / "adapter", tied=True, modules_to_save=["lm_head"])
    decoder = loaded(base, tmp_path, adapter=str(adapter))
    expected = logits(
        PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(adapter)).eval()
    )
    torch.testing.assert_close(logits(decoder.model), expected, atol=5e-5, rtol=0)
    assert decoder.config.tie_word_embeddings is False
    assert "tied no longer" in decoder.source.notes[0]
    save(decoder, (), tmp_path / "o")
    torch.testing.assert_close(logits(reload(tmp_path / "o")), expected, atol=5e-5, rtol=0)


@pytest.mark.parametrize(
    ("damage", "code", "said"),
    [
        (lambda folder: (folder / CONFIG).unlink(), "MODEL_INVALID", "it has no adapter_config.json"),
        (lambda folder: (folder / WEIGHTS).unlink(), "MODEL_INVALID", "it has no adapter_model.safetensors"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"no tensors"), "MODEL_INVALID", WEIGHTS),
        (change_config(peft_type="IA3"), "MODEL_UNSUPPORTED", "LORA is what can be taken"),
        (change_config(task_type="SEQ_CLS"), "MODEL_UNSUPPORTED", "CAUSAL_LM is what has logits"),
        (change_config(target_modules=["nowhere"]), "MODEL_INVALID", "does not fit the model"),
        (change_config(r=8), "MODEL_INVALID", "does not fit the model"),
        (change_config(target_modules=["q_proj"]), "MODEL_INVALID", "unexpected: "),
        (change_tensors(lambda tensors: tensors.pop(min(tensors))), "MODEL_INVALID", "missing: "),
        (change_tensors(lambda tensors: tensors[min(tensors)].fill_(torch.nan)), "MODEL_INVALID", "broken"),
    ],
)
def test_what_does_not_fit_is_refused(
    damage: Callable[[Path], object], code: str, said: str, base: Path, tmp_path: Path
) -> None:
    adapter = made(tmp_path / "adapter")
    damage(adapter)
    failure = refusal(base, tmp_path, adapter=str(adapter))
    assert failure.code == code
    assert said in failure.message and str(adapter) in failure.message


def test_one_of_a_deeper_model_is_refused(base: Path, tmp_path: Path) -> None:
    failure = refusal(base, tmp_path, adapter=str(made(tmp_path / "adapter", depth=7)))
    assert failure.code == "MODEL_INVALID" and "layers.6." in failure.message


@pytest.mark.parametrize("target", ["embed_tokens", "lm_head"])
def test_one_end_of_a_tied_model_is_refused(
    target: str, tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase
) -> None:
    base = saved(t_llama(tied=True), smollm2_tokenizer, tmp_path / "base")
    adapter = made(tmp_path / "adapter", tied=True, target_modules=[target])
    failure = refusal(base, tmp_path, adapter=str(adapter))
    assert failure.code == "MODEL_UNSUPPORTED" and "one matrix for both" in failure.message


def test_no_such_folder_is_told(base: Path, tmp_path: Path) -> None:
    failure = refusal(base, tmp_path, adapter=str(tmp_path / "nowhere"))
    assert failure.code == "MODEL_NOT_FOUND" and "nowhere" in failure.message
