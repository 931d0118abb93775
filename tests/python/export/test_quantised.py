"""Blocks removed from quantised checkpoints: the same form, byte for byte, in stock transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.can_export import can_export
from depthkit_worker.export.quantisation_config import cut_quantisation
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from export.checkpoints import logits, save
from models.folders import config_of, loaded
from quantised import KINDS, as_transformers_runs_it, quantised, small_llama
from tiny import DEPTH, token_ids

IDS = token_ids(1, 13)
GONE = (Unit("block", 1), Unit("block", 4))
KEPT = [0, 2, 3, 5]
FOUR_BIT = "bitsandbytes 4 bit"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, words: PreTrainedTokenizerBase) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("quantised")
    return {
        kind: quantised(kind, small_llama(), words, top / str(number)) for number, kind in enumerate(KINDS)
    }


def stored(folder: Path) -> dict[str, Tensor]:
    found = {}
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            found.update({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    return found


def raw(tensor: Tensor) -> bytes:
    return tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_tensors_of_what_stays_are_copied_byte_for_byte(
    kind: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    decoder = loaded(folders[kind], tmp_path)
    result = save(decoder, GONE, tmp_path / "out", max_shard_bytes=100_000)
    before, after = stored(folders[kind]), stored(tmp_path / "out")
    expected = {
        name.replace(f".layers.{old}.", f".layers.{new}.") if f".layers.{old}." in name else name: tensor
        for name, tensor in before.items()
        for new, old in enumerate(KEPT)
        if f".layers.{old}." in name or ".layers." not in name
    }
    assert after.keys() == expected.keys()
    for name, tensor in after.items():
        assert tensor.dtype == expected[name].dtype, name
        assert raw(tensor) == raw(expected[name]), name
    assert len(list((tmp_path / "out").glob("*.safetensors"))) > 1
    assert result.max_logit_difference == 0
    assert result.weight_bytes_before == sum(tensor.nbytes for tensor in before.values())
    assert result.weight_bytes_after == sum(tensor.nbytes for tensor in after.values())
    assert result.kept_blocks == tuple(KEPT)
    plain = small_llama()
    for index in (4, 1):
        del plain.model.layers[index]
    assert result.parameters_after == plain.num_parameters()
    assert "copied byte for byte" in result.notes[0]


@pytest.mark.parametrize("kind", KINDS)
def test_stock_transformers_answers_as_the_model_without_the_blocks(
    kind: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    decoder = loaded(folders[kind], tmp_path)
    save(decoder, GONE, tmp_path / "out")
    with removed(Subnetwork(decoder, GONE)):
        expected = logits(decoder.model, IDS)
    assert torch.equal(logits(as_transformers_runs_it(tmp_path / "out"), IDS), expected)
    again = loaded(tmp_path / "out", tmp_path)
    assert torch.equal(logits(again.model, IDS), expected)
    assert again.depth == len(KEPT)
    assert again.source.quantisation == decoder.source.quantisation
    assert sum(again.source.stored_bytes.values()) == sum(
        size
        for name, size in decoder.source.stored_bytes.items()
        if not any(f".layers.{index}." in name for index in (1, 4))
    )


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (FOUR_BIT, "llm_int8_skip_modules"),
        ("compressed-tensors int4", "ignore"),
        ("fp8", "modules_to_not_convert"),
    ],
)
def test_lists_of_modules_are_cut_and_numbered_anew(
    kind: str, key: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    decoder = loaded(folders[kind], tmp_path)
    save(decoder, GONE, tmp_path / "out")
    before = config_of(folders[kind])["quantization_config"]
    assert sorted(before[key]) == ["lm_head", "model.layers.3.mlp.down_proj"]
    after = config_of(tmp_path / "out")["quantization_config"]
    assert sorted(after.pop(key)) == ["lm_head", "model.layers.2.mlp.down_proj"]
    assert after.items() == {name: value for name, value in before.items() if name != key}.items()
    save(decoder, (Unit("block", 3),), tmp_path / "without")
    assert config_of(tmp_path / "without")["quantization_config"][key] == ["lm_head"]


def test_patterns_with_numbers_become_the_names_that_they_stand_for(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    decoder = loaded(folders["compressed-tensors by pattern"], tmp_path)
    save(decoder, GONE, tmp_path / "out")
    (group,) = config_of(tmp_path / "out")["quantization_config"]["config_groups"].values()
    parts = {
        *(f"self_attn.{name}_proj" for name in "qkvo"),
        *(f"mlp.{name}_proj" for name in ("gate", "up", "down")),
    }
    patterned = {
        f"model.layers.{new}.{part}" for new, old in enumerate(KEPT) if old in (0, 2) for part in parts
    }
    assert set(group["targets"]) == {*patterned, "model.layers.3.mlp.up_proj"}


class Tree(nn.Module):
    """Modules by the names of a model's."""

    def __init__(self, blocks: int) -> None:
        super().__init__()
        self.model = nn.Module()
        self.model.layers = nn.ModuleList(nn.ModuleDict({"fc1": nn.Linear(1, 1)}) for _ in range(blocks))
        self.lm_head = nn.Linear(1, 1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"ignore": ["model.layers.10.fc1", "model.layers.1.fc1"]}, {"ignore": ["model.layers.9.fc1"]}),
        ({"skip": ["model.layers.11", "fc1", "lm_head"]}, {"skip": ["model.layers.10", "fc1", "lm_head"]}),
        ({"ignore": ["re:.*fc.*", "Linear"]}, {"ignore": ["re:.*fc.*", "Linear"]}),
        ({"ignore": [r"re:.*layers\.(0|1|11)\."]}, {"ignore": ["model.layers.0.fc1", "model.layers.10.fc1"]}),
        ({"skip": ["model.layers.[0-2].fc1"]}, {"skip": ["model.layers.0.fc1", "model.layers.1.fc1"]}),
        (
            {"config_groups": {"a": {"targets": ["model.layers.1.fc1"]}, "b": {"targets": ["Linear"]}}},
            {"config_groups": {"b": {"targets": ["Linear"]}}},
        ),
        ({"bits": 4, "sizes": [128, 128], "none": None}, {"bits": 4, "sizes": [128, 128], "none": None}),
    ],
)
def test_every_list_of_names_is_cut(before: dict[str, Any], after: dict[str, Any]) -> None:
    kept = [index for index in range(12) if index != 1]
    assert cut_quantisation(before, Tree(12), kept) == after


def test_what_has_no_place_is_refused_by_name_before_any_work(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    decoder = loaded(folders[FOUR_BIT], tmp_path)
    constant = Repair(
        "bias", (GONE[0],), {1: BlockEdit(after=Constant(torch.zeros(decoder.hidden_size)))}, "digest"
    )
    cases = [
        (Subnetwork(decoder, (Unit("attention", 2),)), "sublayers removed by themselves"),
        (Subnetwork(decoder, GONE, (constant,)), "a repair (bias) has no place beside them"),
    ]
    for subnetwork, said in cases:
        with pytest.raises(DepthkitError) as failure:
            save(decoder, subnetwork.units, tmp_path / "out", subnetwork.repairs)
        assert failure.value.code == "EXPORT_UNSUPPORTED"
        assert said in failure.value.message
        found = can_export(subnetwork, "huggingface")
        assert not found.possible
        assert found.reason is not None
        assert said in found.reason
        assert found.nearest is not None
        assert found.nearest.repairs == ()
    assert can_export(Subnetwork(decoder, GONE), "huggingface").possible
    for form, what in (("gguf", "a GGUF file"), ("onnx", "an ONNX graph")):
        found = can_export(Subnetwork(decoder, GONE), form)  # type: ignore[arg-type]
        assert (
            found.reason
            == f"its weights are quantised by bitsandbytes, 4 bit (nf4), and {what} is made of plain ones"
        )
        assert found.nearest is None
    for options in ({"dtype": "float16"}, {"vision": True}):
        with pytest.raises(DepthkitError) as failure:
            save(decoder, GONE, tmp_path / "out", **options)
        assert failure.value.code == "INVALID_ARGUMENT"
    with pytest.raises(DepthkitError, match="Every block is removed"):
        save(decoder, tuple(Unit("block", index) for index in range(DEPTH)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_it_tells_where_it_came_from(folders: dict[str, Path], tmp_path: Path) -> None:
    decoder = loaded(folders[FOUR_BIT], tmp_path)
    result = save(decoder, GONE, tmp_path / "out", note="by hand")
    (step,) = json.loads((tmp_path / "out" / "depthkit.json").read_text())["steps"]
    assert step["removed"] == ["block.1", "block.4"]
    assert step["weights"] == result.weights_digest
    card = (tmp_path / "out" / "README.md").read_text()
    assert "by bitsandbytes, 4 bit (nf4)" in card
    assert "Loading it needs bitsandbytes." in card
    assert "by hand" in card
