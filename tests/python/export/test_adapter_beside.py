"""LoRA over packed weights, exported: the weights as they are, and an adapter that peft loads beside them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from msgspec import structs
from peft import LoraConfig, PeftConfig
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import ExportCheckParams, ExportHuggingfaceResult
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.can_export import can_export
from depthkit_worker.export.check_checkpoint import check_checkpoint, check_here
from depthkit_worker.export.hub.pushable import pushable
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.methods import fit_repairs
from depthkit_worker.repair.peft_adapter import adapter_as_repair
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from export.checkpoints import logits, save
from models.folders import loaded, refusal
from quantised import quantised, small_llama
from tiny import token_ids
from training.builders import REMOVED, SHORT, base_of, ignore
from training.test_quantised import HEALING

IDS = token_ids(2, 11)
TWO_STEPS = structs.replace(
    HEALING, training=structs.replace(SHORT, steps=2, learning_rate=1e-2, validation=0)
)
STOCK = """
import sys, numpy, torch
from peft import PeftModel
from transformers import AutoModelForCausalLM
folder, ids, out = sys.argv[1:]
model = AutoModelForCausalLM.from_pretrained(folder)
for module in model.modules():  # What bitsandbytes rounds on some processors.
    if hasattr(module, "support_avx512bf16_for_cpu"):
        module.support_avx512bf16_for_cpu = False
model = PeftModel.from_pretrained(model, folder + "/adapter").eval()
with torch.no_grad():
    rows = [model(input_ids=row[None], use_cache=False).logits for row in torch.from_numpy(numpy.load(ids))]
numpy.save(out, torch.cat(rows).numpy())
"""


def healed(kind: str, words: PreTrainedTokenizerBase, folder: Path, times: int = 1) -> Subnetwork:
    decoder = loaded(quantised(kind, small_llama(), words, folder / "source"), folder)
    repairs: tuple[Repair, ...] = ()
    for _ in range(times):
        fitted, _ = fit_repairs(base_of(decoder, REMOVED, repairs), TWO_STEPS, ignore, Unattended())
        repairs = (*repairs, *fitted)
    return Subnetwork(decoder, REMOVED, repairs)


def export(subnetwork: Subnetwork, target: Path, **options: Any) -> ExportHuggingfaceResult:
    return save(subnetwork.decoder, subnetwork.units, target, subnetwork.repairs, **options)


def answers(subnetwork: Subnetwork) -> Tensor:
    with removed(subnetwork):
        return logits(subnetwork.decoder.model, IDS)


def in_a_fresh_process(folder: Path, scratch: Path) -> Tensor:
    """What transformers and peft answer, without depthkit."""
    np.save(scratch / "ids.npy", IDS.numpy())
    arguments = [str(folder), str(scratch / "ids.npy"), str(scratch / "logits.npy")]
    subprocess.run([sys.executable, "-c", STOCK, *arguments], check=True, capture_output=True)
    return torch.from_numpy(np.load(scratch / "logits.npy"))


@pytest.mark.parametrize("kind", ["bitsandbytes 4 bit", "bitsandbytes 8 bit"])
def test_transformers_and_peft_answer_as_the_live_model(
    kind: str, words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    subnetwork = healed(kind, words, tmp_path)
    expected = answers(subnetwork)
    result = export(subnetwork, tmp_path / "out")
    assert result.max_logit_difference < 1e-5
    assert torch.allclose(in_a_fresh_process(tmp_path / "out", tmp_path), expected, atol=1e-5)
    # Alone the weights are the model before it was healed.
    assert float((answers(subnetwork.unrepaired) - expected).abs().max()) > 1e-3
    assert can_export(subnetwork, "huggingface").possible

    config = PeftConfig.from_pretrained(str(tmp_path / "out" / "adapter"))
    assert isinstance(config, LoraConfig)
    assert (config.base_model_name_or_path, config.task_type) == ("out", "CAUSAL_LM")
    depth = subnetwork.decoder.depth - len(REMOVED)
    parts = [
        *(f"self_attn.{one}_proj" for one in "qkvo"),
        *(f"mlp.{one}_proj" for one in ("gate", "up", "down")),
    ]
    assert set(config.target_modules or ()) == {
        f"model.layers.{at}.{part}" for at in range(depth) for part in parts
    }
    tensors = load_file(tmp_path / "out" / "adapter" / "adapter_model.safetensors")
    assert result.parameters_after == _parameters(subnetwork) + sum(one.numel() for one in tensors.values())
    assert str(tmp_path) not in (tmp_path / "out" / "adapter" / "adapter_config.json").read_text()


def _parameters(subnetwork: Subnetwork) -> int:
    plain = small_llama()
    for unit in sorted(subnetwork.units, key=lambda unit: -unit.index):
        del plain.model.layers[unit.index]
    return plain.num_parameters()


def test_healings_on_top_of_each_other_are_one_adapter(
    words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    subnetwork = healed("bitsandbytes 4 bit", words, tmp_path, times=2)
    first, second = subnetwork.repairs
    # The second of some modules alone, so that ranks differ.
    index = max(second.edits)
    edits = {index: BlockEdit(weights=dict(list(second.edits[index].weights.items())[:2]))}
    second = Repair("lora", second.removed, edits, "some", second.base)
    subnetwork = Subnetwork(subnetwork.decoder, REMOVED, (first, second))
    export(subnetwork, tmp_path / "out")
    assert torch.allclose(in_a_fresh_process(tmp_path / "out", tmp_path), answers(subnetwork), atol=1e-5)
    config = PeftConfig.from_pretrained(str(tmp_path / "out" / "adapter"))
    assert isinstance(config, LoraConfig)
    assert sorted((config.rank_pattern or {}).values()) == [6, 6]


@pytest.fixture(scope="module")
def exported(words: PreTrainedTokenizerBase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("beside")
    export(healed("bitsandbytes 4 bit", words, folder), folder / "out")
    return folder / "out"


def test_a_check_is_of_both(exported: Path, tmp_path: Path) -> None:
    found = check_checkpoint(ExportCheckParams(folder=str(exported)), Unattended())
    assert " and peft " in found.runtime
    assert found.largest_difference < 1e-4
    assert (found.agreement, found.written, found.cached) == (1, 1, 1)
    shutil.copytree(exported, tmp_path / "other")
    weights = tmp_path / "other" / "adapter" / "adapter_model.safetensors"
    save_file({name: tensor * 0 for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    assert check_here(tmp_path / "other", "transformers", False, Unattended()).largest_difference > 1e-3
    weights.unlink()
    with pytest.raises(DepthkitError, match=r"with peft .* does not load .*adapter") as failure:
        check_here(tmp_path / "other", "transformers", False, Unattended())
    assert failure.value.code == "MODEL_INVALID"
    with pytest.raises(DepthkitError, match="mlx-lm does not load peft's") as failure:
        check_here(exported, "mlx-lm", False, Unattended())
    assert failure.value.code == "INVALID_ARGUMENT"


def test_the_adapter_is_told_of_and_never_taken_for_merged(exported: Path, tmp_path: Path) -> None:
    back: Decoder = loaded(exported, tmp_path)
    assert "a LoRA adapter that belongs to it" in back.source.notes[0]
    assert "it was not applied" in back.source.notes[0]
    assert "--subnetwork" in back.source.notes[0]
    error = refusal(exported, tmp_path, adapter=str(exported / "adapter"))
    assert (error.code, "would be merged into plain weights" in error.message) == ("MODEL_UNSUPPORTED", True)
    card = (exported / "README.md").read_text()
    assert 'FOLDER + "/adapter"' in card
    assert "belongs to them" in card


@pytest.mark.parametrize("kind", ["bitsandbytes 4 bit", "bitsandbytes 8 bit"])
def test_it_comes_back_beside_the_weights_and_goes_out_again(
    kind: str, words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    subnetwork = healed(kind, words, tmp_path)
    export(subnetwork, tmp_path / "out")
    back = loaded(tmp_path / "out", tmp_path)
    again = adapter_as_repair(back, tmp_path / "out" / "adapter")
    assert torch.allclose(answers(again), answers(subnetwork), atol=1e-5)
    smaller = Subnetwork(back, (Unit("block", back.depth - 2),), again.repairs)
    export(smaller, tmp_path / "smaller")
    assert torch.allclose(in_a_fresh_process(tmp_path / "smaller", tmp_path), answers(smaller), atol=1e-5)
    fitted, _ = fit_repairs(base_of(back, smaller.units, again.repairs), TWO_STEPS, ignore, Unattended())
    twice = Subnetwork(back, smaller.units, (*again.repairs, *fitted))
    assert float((answers(twice) - answers(smaller)).abs().max()) > 1e-4
    export(twice, tmp_path / "twice")
    assert torch.allclose(in_a_fresh_process(tmp_path / "twice", tmp_path), answers(twice), atol=1e-5)


def test_it_is_known_by_its_digest_and_replaced_with_the_rest(
    exported: Path, words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    (step,) = json.loads((exported / "depthkit.json").read_text())["steps"]
    assert [one["method"] for one in step["repairs"]] == ["lora"]
    assert step["adapter"] is not None
    assert {"adapter/adapter_config.json", "adapter/adapter_model.safetensors"} <= {
        one.name for one in pushable(exported, Unattended())
    }
    shutil.copytree(exported, tmp_path / "other")
    (tmp_path / "other" / "adapter" / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(DepthkitError, match="the adapter in adapter is not the one"):
        pushable(tmp_path / "other", Unattended())
    subnetwork = healed("bitsandbytes 4 bit", words, tmp_path)
    result = export(subnetwork.unrepaired, tmp_path / "other", overwrite=True)
    assert result.adapter_digest is None
    assert not (tmp_path / "other" / "adapter").exists()


def test_what_has_no_place_beside_weights_is_refused_by_name(
    words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    subnetwork = healed("bitsandbytes 4 bit", words, tmp_path)
    hidden = subnetwork.decoder.hidden_size
    unit = REMOVED[0]
    constant = Repair("bias", (unit,), {unit.index: BlockEdit(after=Constant(torch.zeros(hidden)))}, "digest")
    both = Subnetwork(subnetwork.decoder, REMOVED, (*subnetwork.repairs, constant))
    plain = healed("fp8", words, tmp_path / "plain")
    for one, said in ((both, "a repair (lora, bias) has no place"), (plain, "only weights that stay packed")):
        with pytest.raises(DepthkitError) as failure:
            export(one, tmp_path / "out")
        assert failure.value.code == "EXPORT_UNSUPPORTED"
        assert said in failure.value.message
        assert not can_export(one, "huggingface").possible
    nearest = can_export(both, "huggingface").nearest
    assert nearest is not None
    assert nearest.repairs == ("lora",)
