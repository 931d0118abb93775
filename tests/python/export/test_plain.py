"""Repairs in plain checkpoints: folded constants, changed weights, replacement blocks."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import DynamicCache, MistralConfig, Phi3Config

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.repair.storage import make_repair
from depthkit_worker.repair.weight_changes import Product, Sum
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from export.checkpoints import greedy, logits, reload, save, saved_config, tensor_names
from tiny import FAMILY_MODELS, SHAPE, random_model, tiny_model, token_ids

WITH_BIAS = [
    name
    for name in FAMILY_MODELS
    if name.split("-")[0]
    in {"llama", "smollm3", "granite", "starcoder2", "gpt2", "gpt_neox", "falcon", "bloom", "opt"}
    | {"nemotron", "arcee", "seed_oss", "helium", "ernie4_5", "gpt_bigcode", "gptj", "phi", "persimmon"}
]
AS_LLAMA = ["mistral", "qwen2", "phi3"]
"""Written as Llama for its bias."""
SCALED = ["gemma", "gemma2", "gemma3_text"]
BLOCKS = (Unit("block", 0), Unit("block", 3), Unit("block", 4))
"""The first block and a run: a constant in front of all that is left, and one in the middle."""


def random(*shape: int, scale: float = 0.3, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def by_hand(decoder: Decoder, units: tuple[Unit, ...], edits: Mapping[int, BlockEdit]) -> Repair:
    return make_repair(decoder, "by-hand", units, edits, "{}")


def constants(decoder: Decoder) -> tuple[Repair, ...]:
    vectors = [Constant(random(decoder.hidden_size, seed=seed)) for seed in (1, 2)]
    return (
        by_hand(decoder, BLOCKS[:1], {0: BlockEdit(beside=vectors[0])}),
        by_hand(decoder, BLOCKS[1:], {3: BlockEdit(beside=vectors[1])}),
    )


def largest(decoder: Decoder, units: tuple[Unit, ...], repairs: tuple[Repair, ...], folder: Path) -> float:
    """Largest difference of logits after reload; cached generation is compared on the way."""
    ids = token_ids(2, 11)
    model = reload(folder, trust_remote_code=False)
    with removed(Subnetwork(decoder, units, repairs)):
        expected = logits(decoder.model, ids)
        expected_ids = greedy(decoder.model, ids[:1], cache=DynamicCache())
    assert greedy(model, ids[:1]) == expected_ids
    return float((logits(model, ids) - expected).abs().max() / expected.abs().max().clamp(min=1))


@pytest.mark.parametrize("name", [*WITH_BIAS, *AS_LLAMA])
def test_constants_fold_into_output_biases(name: str, tmp_path: Path) -> None:
    decoder = Decoder(tiny_model(name))
    repairs = constants(decoder)
    before = logits(decoder.model, token_ids(2, 11))
    result = save(decoder, BLOCKS, tmp_path / "o", repairs=repairs)
    assert result.layout == "plain"
    assert largest(decoder, BLOCKS, repairs, tmp_path / "o") < 1e-5
    assert result.max_logit_difference is not None
    assert result.max_logit_difference < 1e-4
    assert torch.equal(logits(decoder.model, token_ids(2, 11)), before)
    folded = [note for note in result.notes if "keep the order" not in note]
    assert len(folded) == (3 if name in AS_LLAMA else 2)
    assert saved_config(tmp_path / "o")["model_type"] == (
        "llama" if name in AS_LLAMA else decoder.family.model_type
    )
    model = reload(tmp_path / "o")
    assert sum(parameter.numel() for parameter in model.parameters()) == result.parameters_after
    assert result.weight_bytes_after == 4 * result.parameters_after


@pytest.mark.parametrize("name", [name for name in FAMILY_MODELS if name not in (*WITH_BIAS, *SCALED)])
def test_a_constant_in_front_of_all_blocks_folds_without_a_bias(name: str, tmp_path: Path) -> None:
    decoder = Decoder(tiny_model(name))
    repairs = constants(decoder)[:1]
    result = save(decoder, BLOCKS[:1], tmp_path / "o", repairs=repairs)
    assert result.layout == "plain"
    assert largest(decoder, BLOCKS[:1], repairs, tmp_path / "o") < 1e-5


@pytest.mark.parametrize("name", [name for name in FAMILY_MODELS if name not in (*WITH_BIAS, *AS_LLAMA)])
def test_constants_that_no_bias_can_hold_go_to_the_other_form(name: str, tmp_path: Path) -> None:
    decoder = Decoder(tiny_model(name))
    repairs = constants(decoder)
    result = save(decoder, BLOCKS, tmp_path / "o", repairs=repairs)
    assert result.layout == "depthkit"
    assert decoder.family.model_type in result.notes[0]
    assert result.max_logit_difference == 0.0
    model = reload(tmp_path / "o", trust_remote_code=True)
    with removed(Subnetwork(decoder, BLOCKS, repairs)):
        assert torch.equal(logits(model, token_ids(2, 11)), logits(decoder.model, token_ids(2, 11)))


def test_int1_a_folded_constant_is_named_with_those_who_drop_it(tmp_path: Path) -> None:
    decoder = Decoder(tiny_model("llama"))
    result = save(decoder, BLOCKS[1:], tmp_path / "o", repairs=constants(decoder)[1:])
    assert saved_config(tmp_path / "o")["mlp_bias"] is True
    assert "mlp.down_proj.bias, by new block numbers: 2, switched on by mlp_bias" in result.notes[0]
    assert "drops this bias" in (tmp_path / "o" / "README.md").read_text()
    names = tensor_names(tmp_path / "o")
    assert {
        f"model.layers.{index}.mlp.{part}_proj.bias" for index in range(4) for part in ("gate", "up", "down")
    } < set(names)
    model = reload(tmp_path / "o")
    assert torch.equal(model.get_parameter("model.layers.2.mlp.down_proj.bias"), random(32, seed=2))
    assert not model.get_parameter("model.layers.1.mlp.down_proj.bias").any()
    # Exported again, the bias is still there and still said.
    again = save(Decoder(model), (Unit("block", 0),), tmp_path / "again")
    assert "Feed-forwards have the output bias mlp.down_proj.bias" in again.notes[0]
    # Nothing to fold, nothing to say: no bias appears.
    plain = save(decoder, BLOCKS, tmp_path / "p")
    assert plain.notes == ()
    assert saved_config(tmp_path / "p")["mlp_bias"] is False


def test_a_tied_head_is_untied_before_the_embeddings_change(tmp_path: Path) -> None:
    decoder = Decoder(tiny_model("llama-tied"))
    repairs = constants(decoder)[:1]
    result = save(decoder, BLOCKS[:1], tmp_path / "o", repairs=repairs)
    assert saved_config(tmp_path / "o")["tie_word_embeddings"] is False
    model = reload(tmp_path / "o")
    assert torch.equal(
        model.get_parameter("lm_head.weight"), decoder.model.get_parameter("model.embed_tokens.weight")
    )
    assert "untied" in result.notes[0]


@pytest.mark.parametrize(
    "rope",
    [
        {"rope_type": "default", "partial_rotary_factor": 0.5, "rope_theta": 1e4},
        {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4, "long_factor": [2.0] * 4},
    ],
)
def test_a_phi3_with_rotary_positions_of_its_own_is_no_llama(rope: dict[str, Any], tmp_path: Path) -> None:
    decoder = Decoder(random_model(Phi3Config(**SHAPE, sliding_window=None, rope_parameters=rope)))
    result = save(decoder, BLOCKS, tmp_path / "o", repairs=constants(decoder))
    assert (result.layout, result.max_logit_difference) == ("depthkit", 0.0)
    assert "rotary" in result.notes[0]


def test_a_head_wider_than_its_share_and_another_rotary_base_pass_to_llama(tmp_path: Path) -> None:
    """Mistral Nemo: heads of 128 in a model of 5,120 with 32 heads."""
    rope = {"rope_type": "default", "rope_theta": 1e6}
    decoder = Decoder(
        random_model(MistralConfig(**SHAPE, head_dim=12, sliding_window=None, rope_parameters=rope))
    )
    repairs = constants(decoder)
    assert save(decoder, BLOCKS, tmp_path / "o", repairs=repairs).layout == "plain"
    assert largest(decoder, BLOCKS, repairs, tmp_path / "o") < 1e-5
    assert saved_config(tmp_path / "o")["rope_theta"] == 1e6


def test_a_chain_of_constants_of_a_run_is_one_sum(tmp_path: Path) -> None:
    """Two gaps that became neighbours, and a bias behind a kept block."""
    decoder = Decoder(tiny_model("gpt2"))
    vectors = [Constant(random(32, seed=seed)) for seed in range(3)]
    repairs = (
        by_hand(
            decoder, (Unit("block", 2),), {2: BlockEdit(beside=vectors[0]), 1: BlockEdit(after=vectors[1])}
        ),
        by_hand(decoder, (Unit("block", 3),), {3: BlockEdit(beside=vectors[2])}),
    )
    units = (Unit("block", 2), Unit("block", 3))
    save(decoder, units, tmp_path / "o", repairs=repairs)
    assert largest(decoder, units, repairs, tmp_path / "o") < 1e-5
    name = "transformer.h.1.mlp.c_proj.bias"
    grown = reload(tmp_path / "o").get_parameter(name) - decoder.model.get_parameter(name)
    assert torch.allclose(grown, sum((vector.vector for vector in vectors), torch.zeros(32)), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "weight"), [("llama", "mlp.down_proj.weight"), ("gpt2", "mlp.c_proj.weight")]
)
def test_a_fold_is_a_plain_checkpoint(name: str, weight: str, tmp_path: Path) -> None:
    decoder = Decoder(tiny_model(name))
    product = Product(torch.eye(32) + random(32, 32, scale=0.05), output_first=name == "llama")
    bias = {"mlp.c_proj.bias": product} if name == "gpt2" else {}
    units = (Unit("block", 2), Unit("block", 3))
    edit = BlockEdit(after=Constant(random(32)), weights={weight: product, **bias})
    repairs = (by_hand(decoder, units, {1: edit}),)
    assert save(decoder, units, tmp_path / "o", repairs=repairs).layout == "plain"
    assert largest(decoder, units, repairs, tmp_path / "o") < 1e-5


@pytest.mark.parametrize("name", ["llama", "qwen2", "gemma3_text", "olmo2"])
def test_rec1_merged_lora_answers_as_it_did_in_memory(name: str, tmp_path: Path) -> None:
    decoder = Decoder(tiny_model(name))
    change = Sum(random(2, 48), random(32, 2, seed=1), 2.0)
    units = (Unit("block", 3),)
    edits = {index: BlockEdit(weights={"mlp.down_proj.weight": change}) for index in (0, 1, 2, 4, 5)}
    repairs = (by_hand(decoder, units, edits),)
    result = save(decoder, units, tmp_path / "o", repairs=repairs)
    assert (result.layout, result.max_logit_difference) == ("plain", 0.0)
    assert largest(decoder, units, repairs, tmp_path / "o") == 0.0


def test_rec1_a_merge_is_done_in_fp32_and_cast_once(tmp_path: Path) -> None:
    decoder = Decoder(tiny_model("llama"))
    change = Sum(random(2, 48), random(32, 2, seed=1), 2.0)
    repairs = (
        by_hand(decoder, (Unit("block", 3),), {0: BlockEdit(weights={"mlp.down_proj.weight": change})}),
    )
    save(decoder, (Unit("block", 3),), tmp_path / "o", repairs=repairs, dtype="bfloat16")
    name = "model.layers.0.mlp.down_proj.weight"
    expected = (decoder.model.get_parameter(name) + 2.0 * change.b @ change.a).to(torch.bfloat16)
    assert torch.equal(reload(tmp_path / "o").get_parameter(name), expected)


@pytest.mark.parametrize("wrong", [0.5, float("nan")])
def test_rec1_an_export_that_differs_stops(
    wrong: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fold gone wrong: its vector is not the one in memory."""

    def not_this_one(tensor: Tensor, _vector: Tensor) -> Tensor:
        return tensor + wrong * torch.arange(32)

    monkeypatch.setattr("depthkit_worker.export.plain_weights.grown", not_this_one)
    decoder = Decoder(tiny_model("gpt2"))
    with pytest.raises(DepthkitError, match="differ from the subnetwork's in memory") as failure:
        save(decoder, BLOCKS, tmp_path / "o", repairs=constants(decoder))
    assert failure.value.code == "EXPORT_UNSUPPORTED"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["llama", "gemma3_text", "gpt2", "mixtral", "smollm3", "falcon", "bloom"])
def test_a_replacement_block_runs_under_the_place_of_its_run(name: str, tmp_path: Path) -> None:
    decoder = Decoder(tiny_model(name))
    other: nn.Module = copy.deepcopy(decoder.blocks[3])
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(1.1)
    repairs = (by_hand(decoder, BLOCKS[1:], {3: BlockEdit(replacement=other)}),)
    result = save(decoder, BLOCKS[1:], tmp_path / "o", repairs=repairs)
    assert (result.layout, result.max_logit_difference) == ("plain", 0.0)
    assert largest(decoder, BLOCKS[1:], repairs, tmp_path / "o") == 0.0
    assert result.kept_blocks == (0, 1, 2, 5)
    assert result.kv_bytes_per_token_after * 6 == result.kv_bytes_per_token_before * 5
    assert "| Another block in their place | 3 |" in (tmp_path / "o" / "README.md").read_text()


def test_bfloat16_constants_stay_within_the_bound(tmp_path: Path) -> None:
    decoder = Decoder(random_model(FAMILY_MODELS["llama"](), dtype=torch.bfloat16))
    repairs = (by_hand(decoder, BLOCKS[1:], {3: BlockEdit(beside=Constant(random(32).to(torch.bfloat16)))}),)
    result = save(decoder, BLOCKS[1:], tmp_path / "o", repairs=repairs)
    assert result.layout == "plain"
    assert result.max_logit_difference is not None
