"""The language model of checkpoints that read images too: the whole model's own answers to text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import (
    AutoModelForImageTextToText,
    CLIPVisionConfig,
    Gemma3Config,
    LlavaConfig,
    Mistral3Config,
    PixtralVisionConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Qwen2_5_VLConfig,
    Qwen2Tokenizer,
    Qwen3VLConfig,
    SiglipVisionConfig,
)

from depthkit_worker.contract.wire import ExportCheckParams
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.check_checkpoint import check_checkpoint
from depthkit_worker.models.onednn import use_onednn
from depthkit_worker.models.text_part import own_name
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.repair import BlockEdit
from depthkit_worker.repair.storage import make_repair
from depthkit_worker.repair.weight_changes import Sum
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from export.checkpoints import greedy, reload, save, saved_config
from family_models import FAMILY_MODELS, MIXED, SHAPE, VOCABULARY
from models.folders import change_config, config_of, loaded, refusal, saved
from tiny import random_model, token_ids

IDS = token_ids(2, 11)
_TOWER: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 8,
}
_QWEN_TOWER: dict[str, Any] = {
    "depth": 2,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_heads": 2,
    "out_hidden_size": 32,
    "patch_size": 8,
}
_QWEN_IDS: dict[str, Any] = {
    "image_token_id": 90,
    "video_token_id": 91,
    "vision_start_token_id": 92,
    "vision_end_token_id": 93,
}
TEXT = {**SHAPE, "head_dim": 8}

WHOLES: dict[str, Callable[[], PreTrainedConfig]] = {
    "gemma3": lambda: Gemma3Config(
        text_config={**TEXT, "sliding_window": 5, "layer_types": list(MIXED)},
        vision_config=SiglipVisionConfig(**_TOWER).to_dict(),
        mm_tokens_per_image=4,
        image_token_index=90,
        tie_word_embeddings=True,
    ),
    "qwen2_5_vl": lambda: Qwen2_5_VLConfig(
        text_config={
            **SHAPE,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]},
        },
        vision_config=_QWEN_TOWER,
        **_QWEN_IDS,
    ),
    "qwen3_vl": lambda: Qwen3VLConfig(
        text_config={
            **TEXT,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e4,
                "mrope_section": [2, 1, 1],
                "mrope_interleaved": True,
            },
        },
        vision_config={**_QWEN_TOWER, "num_position_embeddings": 16, "deepstack_visual_indexes": [0]},
        tie_word_embeddings=True,
        **_QWEN_IDS,
    ),
    "llava": lambda: LlavaConfig(
        text_config=FAMILY_MODELS["mistral-sliding"](),
        vision_config=CLIPVisionConfig(**_TOWER),
        image_token_index=90,
    ),
    "mistral3": lambda: Mistral3Config(
        text_config=FAMILY_MODELS["ministral3"](),
        vision_config=PixtralVisionConfig(**_TOWER),
        image_token_index=90,
        tie_word_embeddings=False,
    ),
}
"""By the checkpoint's `model_type`."""
FAMILY = {
    "gemma3": "gemma3_text",
    "qwen2_5_vl": "qwen2",
    "qwen3_vl": "qwen3",
    "llava": "mistral",
    "mistral3": "ministral3",
}


def whole_model(name: str) -> PreTrainedModel:
    return random_model(WHOLES[name](), build=AutoModelForImageTextToText.from_config)


def answers(model: PreTrainedModel) -> Tensor:
    with torch.no_grad():
        found: Tensor = model(input_ids=IDS, use_cache=False).logits
    return found


def rename(folder: Path, change: Callable[[str], str]) -> None:
    """Store the tensors of `folder` by other names."""
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {change(name): tensor for name, tensor in tensors.items()},
        folder / "model.safetensors",
        {"format": "pt"},
    )


@pytest.mark.parametrize("name", WHOLES)
def test_it_answers_text_as_the_whole_does(name: str, tmp_path: Path, words: PreTrainedTokenizerBase) -> None:
    whole = whole_model(name)
    folder = saved(whole, words, tmp_path / "whole")
    decoder = loaded(folder, tmp_path)
    assert decoder.config.model_type == FAMILY[name]
    assert torch.equal(answers(decoder.model), answers(whole))
    assert decoder.config.tie_word_embeddings is bool(whole.config.tie_word_embeddings)
    text = whole.get_decoder()
    own = sum(parameter.numel() for parameter in text.parameters())
    head = 0 if whole.config.tie_word_embeddings else whole.get_output_embeddings().weight.numel()
    assert decoder.parameters == own + head
    (note,) = decoder.source.notes
    assert f"is a {name} checkpoint" in note and "export holds the language model alone" in note


def own_tokenizer(name: str, words: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """One that the library reads under the type of the text part: qwen2's is always of one class."""
    if FAMILY[name] != "qwen2":
        return words
    return Qwen2Tokenizer(
        vocab={chr(ord("!") + number): number for number in range(VOCABULARY - 3)}, merges=[]
    )


@pytest.mark.parametrize("name", WHOLES)
def test_it_is_pruned_and_saved_by_itself(name: str, tmp_path: Path, words: PreTrainedTokenizerBase) -> None:
    tokenizer = own_tokenizer(name, words)
    decoder = loaded(saved(whole_model(name), tokenizer, tmp_path / "whole"), tmp_path)
    for units, layout in (
        ((Unit("block", 1), Unit("block", 4)), "plain"),
        ((Unit("attention", 0), Unit("feed-forward", 3)), "depthkit"),
    ):
        folder = tmp_path / layout
        assert save(decoder, units, folder).layout == layout
        model = reload(folder, trust_remote_code=layout == "depthkit")
        with removed(Subnetwork(decoder, units)):
            assert torch.equal(answers(model), answers(decoder.model))
        assert greedy(model, IDS[:1]) == greedy(model, IDS[:1], use_cache=False)
        content = saved_config(folder)
        assert not {"text_config", "vision_config"} & set(content)
        text = "t3 t17 t90"
        written = Tokenizer.from_file(str(folder / "tokenizer.json"))
        assert written.encode(text).ids == tokenizer(text).input_ids
        assert content["num_hidden_layers"] == (4 if layout == "plain" else 5)


@pytest.mark.parametrize(
    ("name", "older"),
    [
        # As the files on the hub have them, from before the towers moved into the base model.
        ("qwen2_5_vl", {"model.language_model.": "model.", "model.visual.": "visual."}),
        ("gemma3", {"model.language_model.": "language_model.model.", "lm_head.": "language_model.lm_head."}),
        ("llava", {"language_model.model.": "model.language_model.", "language_model.lm_head.": "lm_head."}),
    ],
)
def test_names_of_every_age_are_read(
    name: str, older: dict[str, str], tmp_path: Path, words: PreTrainedTokenizerBase
) -> None:
    whole = whole_model(name)
    folder = saved(whole, words, tmp_path / "whole")

    def renamed(tensor: str) -> str:
        for new, old in older.items():
            if tensor.startswith(new):
                return old + tensor.removeprefix(new)
        return tensor

    rename(folder, renamed)
    assert torch.equal(answers(loaded(folder, tmp_path).model), answers(whole))


def test_a_missing_tensor_of_the_text_is_missing(tmp_path: Path, words: PreTrainedTokenizerBase) -> None:
    folder = saved(whole_model("llava"), words, tmp_path / "whole")
    tensors = load_file(folder / "model.safetensors")
    gone = next(name for name in tensors if name.endswith("layers.3.mlp.up_proj.weight"))
    del tensors[gone]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    failure = refusal(folder, tmp_path)
    assert failure.code == "MODEL_INVALID"
    assert failure.details["missing"] == ["model.layers.3.mlp.up_proj.weight"]


def test_the_depth_is_the_language_models(tmp_path: Path, words: PreTrainedTokenizerBase) -> None:
    folder = saved(whole_model("gemma3"), words, tmp_path / "whole")
    text = config_of(folder)["text_config"]
    change_config(folder, text_config={**text, "num_hidden_layers": 7})
    assert refusal(folder, tmp_path).details["depth"] == 7
    shorter = {"num_hidden_layers": 5, "layer_types": text["layer_types"][:5]}
    change_config(folder, text_config={**text, **shorter})
    failure = refusal(folder, tmp_path)  # A sixth block's tensors are there, and have no place.
    assert failure.code == "MODEL_INVALID" and "layers.5." in json.dumps(failure.details)


def test_a_language_model_that_no_family_describes_is_named(
    tmp_path: Path, words: PreTrainedTokenizerBase
) -> None:
    folder = saved(whole_model("llava"), words, tmp_path / "whole")
    change_config(folder, text_config={**config_of(folder)["text_config"], "model_type": "mamba"})
    failure = refusal(folder, tmp_path)
    assert failure.code == "MODEL_UNSUPPORTED" and "'mamba'" in failure.message


def whole_of(folder: Path) -> PreTrainedModel:
    """As the library loads it, with products by the library that multiplies in memory."""
    model = AutoModelForImageTextToText.from_pretrained(folder)
    assert isinstance(model, PreTrainedModel)
    model.eval()
    use_onednn(model)
    return model


def older_names(name: str, folder: Path) -> None:
    """Store the tensors as the hub's older files have them."""
    renames = {"gemma3": ("model.language_model.", "language_model.model.")}
    new, old = renames.get(name, ("", ""))
    if new:
        rename(folder, lambda one: old + one.removeprefix(new) if one.startswith(new) else one)


@pytest.mark.parametrize("name", WHOLES)
def test_the_whole_is_saved_with_its_tower_as_it_was(
    name: str, tmp_path: Path, words: PreTrainedTokenizerBase
) -> None:
    source = saved(whole_model(name), own_tokenizer(name, words), tmp_path / "whole")
    older_names(name, source)
    (source / "preprocessor_config.json").write_text('{"image_processor_type": "Any"}')
    decoder = loaded(source, tmp_path)
    units = (Unit("block", 1), Unit("block", 4))
    folder = tmp_path / "smaller"
    result = save(decoder, units, folder, vision=True)
    assert (result.layout, result.max_logit_difference) == ("plain", 0.0)
    model = whole_of(folder)
    with removed(Subnetwork(decoder, units)):
        assert torch.equal(answers(model), answers(decoder.model))
        assert greedy(model, IDS[:1]) == greedy(model, IDS[:1], use_cache=False)
    before, after = load_file(source / "model.safetensors"), load_file(folder / "model.safetensors")
    outside = {one for one in before if own_name(one) is None}
    assert outside and outside == {one for one in after if own_name(one) is None}
    assert all(torch.equal(before[one], after[one]) for one in outside)
    old, new = config_of(source), config_of(folder)
    assert {key for key in old if old[key] != new[key]} == {"text_config"}
    assert new["text_config"]["num_hidden_layers"] == 4
    if "layer_types" in new["text_config"]:
        assert len(new["text_config"]["layer_types"]) == 4
    assert (folder / "preprocessor_config.json").is_file()
    assert "Images were not looked at" in result.warnings[-1]
    again = loaded(folder, tmp_path)
    assert torch.equal(answers(again.model), answers(model))


def test_repaired_weights_go_into_the_whole(tmp_path: Path, words: PreTrainedTokenizerBase) -> None:
    decoder = loaded(saved(whole_model("llava"), words, tmp_path / "whole"), tmp_path)
    change = Sum(torch.ones(1, 32), torch.ones(32, 1), 0.01)
    edits = {3: BlockEdit(weights={"self_attn.q_proj.weight": change})}
    repair = make_repair(decoder, "by-hand", [Unit("block", 1)], edits, "{}")
    subnetwork = (Unit("block", 1),)
    save(decoder, subnetwork, tmp_path / "smaller", (repair,), vision=True)
    model = whole_of(tmp_path / "smaller")
    with removed(Subnetwork(decoder, subnetwork, (repair,))):
        assert torch.equal(answers(model), answers(decoder.model))
    checked = check_checkpoint(ExportCheckParams(folder=str(tmp_path / "smaller")), Unattended())
    assert checked.agreement == 1 and checked.largest_difference < 1e-4


def test_what_the_whole_cannot_hold_is_refused(tmp_path: Path, words: PreTrainedTokenizerBase) -> None:
    decoder = loaded(saved(whole_model("mistral3"), words, tmp_path / "whole"), tmp_path)
    for unit, dtype, code, said in (
        (Unit("attention", 1), "auto", "EXPORT_UNSUPPORTED", "block 1 is without its attention"),
        (Unit("block", 1), "bfloat16", "INVALID_ARGUMENT", "Leave the dtype out"),
    ):
        with pytest.raises(DepthkitError, match=said) as failure:
            save(decoder, (unit,), tmp_path / "no", vision=True, dtype=dtype)
        assert failure.value.code == code
    text = save(decoder, (Unit("block", 1),), tmp_path / "text")
    with pytest.raises(DepthkitError, match=r"is a language model by itself\. Leave vision out"):
        save(loaded(text.folder, tmp_path), (), tmp_path / "no", vision=True)
    assert not (tmp_path / "no").exists()
