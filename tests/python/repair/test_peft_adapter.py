"""A LoRA adapter of peft's beside weights that stay: peft's own answers, and nothing half taken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerBase

from depthkit_worker.contract.wire import RepairSaveOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.peft_adapter import adapter_as_repair
from depthkit_worker.repair.storage import load_repairs, save_repairs
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from export.checkpoints import reload, save
from models.adapters import CONFIG, WEIGHTS, change_config, change_tensors, made
from models.folders import loaded, saved
from tiny import SMOLLM2_VOCABULARY, t_llama, token_ids

IDS = token_ids(2, 9, SMOLLM2_VOCABULARY)


def answers(subnetwork: Subnetwork) -> Tensor:
    with removed(subnetwork), torch.no_grad():
        found: Tensor = subnetwork.decoder.model(input_ids=IDS, use_cache=False).logits
    return found


def pefts_own(base: Path, adapter: Path) -> Tensor:
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(adapter)).eval()
    with torch.no_grad():
        found: Tensor = model(input_ids=IDS, use_cache=False).logits
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, smollm2_tokenizer: PreTrainedTokenizerBase) -> Path:
    return saved(t_llama(), smollm2_tokenizer, tmp_path_factory.mktemp("peft") / "base")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_rslora": True, "lora_alpha": 3},
        {"r": 6, "rank_pattern": {"q_proj": 2}, "alpha_pattern": {"layers.3.mlp.down_proj": 9}},
        {"layers_to_transform": [1, 4], "layers_pattern": "layers"},
    ],
)
def test_the_answers_are_pefts_own(options: dict[str, Any], base: Path, tmp_path: Path) -> None:
    adapter = made(tmp_path / "adapter", **options)
    decoder = loaded(base, tmp_path)
    before = weights_checksum(decoder)
    subnetwork = adapter_as_repair(decoder, adapter)
    torch.testing.assert_close(answers(subnetwork), pefts_own(base, adapter), atol=5e-5, rtol=0)
    assert float((answers(subnetwork.unrepaired) - answers(subnetwork)).abs().max()) > 1e-2
    assert weights_checksum(decoder) == before


def test_weights_that_are_kept_turned_are_changed_alike(
    tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase
) -> None:
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=SMOLLM2_VOCABULARY, n_embd=32, n_layer=3, n_head=4, n_positions=64)
    base = saved(GPT2LMHeadModel(config), smollm2_tokenizer, tmp_path / "base")
    again = AutoModelForCausalLM.from_pretrained(base)
    adapter = made(
        tmp_path / "adapter", model=again, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True
    )
    subnetwork = adapter_as_repair(loaded(base, tmp_path), adapter)
    torch.testing.assert_close(answers(subnetwork), pefts_own(base, adapter), atol=5e-5, rtol=0)


def test_it_is_pruned_kept_and_exported_as_a_repair(base: Path, tmp_path: Path) -> None:
    decoder = loaded(base, tmp_path)
    repairs = adapter_as_repair(decoder, made(tmp_path / "adapter")).repairs
    assert repairs[0].method == "lora"
    pruned = Subnetwork(decoder, (Unit("block", 2),), repairs)
    save_repairs(pruned, tmp_path / "kept", RepairSaveOptions(), Unattended())
    assert load_repairs(decoder, tmp_path / "kept").repairs[0].digest == repairs[0].digest
    save(decoder, pruned.units, tmp_path / "o", repairs)
    with torch.no_grad():
        written = reload(tmp_path / "o")(input_ids=IDS, use_cache=False).logits
    torch.testing.assert_close(written, answers(pruned), atol=5e-5, rtol=0)


def test_equal_adapters_are_one_repair_and_others_another(base: Path, tmp_path: Path) -> None:
    decoder: Decoder = loaded(base, tmp_path)
    adapter = made(tmp_path / "adapter")

    def digest() -> str:
        return adapter_as_repair(decoder, adapter).repairs[0].digest

    first = digest()
    assert digest() == first
    change_config(lora_alpha=99)(adapter)
    assert digest() != first


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"use_dora": True}, "its use_dora is True"),
        ({"bias": "lora_only"}, "its bias is 'lora_only'"),
        ({"modules_to_save": ["lm_head"]}, "its modules_to_save is"),
        ({"target_modules": ["lm_head"]}, "lm_head"),
    ],
)
def test_more_than_low_rank_in_blocks_is_refused(
    options: dict[str, Any], said: str, base: Path, tmp_path: Path
) -> None:
    adapter = made(tmp_path / "adapter", **options)
    with pytest.raises(DepthkitError) as found:
        adapter_as_repair(loaded(base, tmp_path), adapter)
    assert (found.value.code, said in found.value.message) == ("MODEL_UNSUPPORTED", True)


@pytest.mark.parametrize(
    ("damage", "code", "said"),
    [
        (lambda folder: (folder / WEIGHTS).unlink(), "MODEL_INVALID", "it has no adapter_model.safetensors"),
        (lambda folder: (folder / WEIGHTS).write_bytes(b"no tensors"), "MODEL_INVALID", WEIGHTS),
        (change_config(peft_type="IA3"), "MODEL_UNSUPPORTED", "LORA is what can be taken"),
        (change_config(init_lora_weights="pissa"), "MODEL_UNSUPPORTED", "changes the weights beside it"),
        (change_config(r=8), "MODEL_INVALID", "are what fits"),
        (change_tensors(lambda tensors: tensors.pop(min(tensors))), "MODEL_INVALID", "are what fits"),
        (change_tensors(lambda tensors: tensors.clear()), "MODEL_INVALID", "it holds no tensors"),
        (change_tensors(lambda tensors: tensors[min(tensors)].fill_(torch.nan)), "MODEL_INVALID", "NaN"),
        (
            change_tensors(lambda tensors: tensors.update(extra=torch.zeros(2))),
            "MODEL_UNSUPPORTED",
            "extra is no low-rank factor",
        ),
    ],
)
def test_what_is_damaged_or_of_another_model_is_refused(
    damage: Callable[[Path], object], code: str, said: str, base: Path, tmp_path: Path
) -> None:
    adapter = made(tmp_path / "adapter")
    assert (adapter / CONFIG).is_file()
    damage(adapter)
    with pytest.raises(DepthkitError) as found:
        adapter_as_repair(loaded(base, tmp_path), adapter)
    assert found.value.code == code
    assert said in found.value.message and str(adapter) in found.value.message


def test_one_of_a_deeper_model_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = made(tmp_path / "adapter", depth=7)
    with pytest.raises(DepthkitError, match="it changes block 6 of a model of 6") as found:
        adapter_as_repair(loaded(base, tmp_path), adapter)
    assert found.value.code == "MODEL_INVALID"
