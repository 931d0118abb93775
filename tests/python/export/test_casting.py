"""What is written, read back: casts that lose more than rounding are refused, casts that only round pass."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.safetensors_file import write_tensors
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from export.checkpoints import logits, reload, save
from tiny import FAMILY_MODELS, random_model, t_llama_config, tiny_model

BLOCKS = (Unit("block", 1), Unit("block", 4))
SUBLAYERS = (Unit("attention", 0), Unit("feed-forward", 1))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("name", FAMILY_MODELS)
@pytest.mark.parametrize("units", [BLOCKS, SUBLAYERS], ids=["plain", "depthkit"])
def test_a_cast_that_only_rounds_passes_and_the_difference_is_that_of_the_files(
    units: tuple[Unit, ...], name: str, dtype: str, tmp_path: Path
) -> None:
    decoder = Decoder(tiny_model(name))
    result = save(decoder, units, tmp_path / "o", dtype=dtype)
    assert result.max_logit_difference is not None
    assert result.max_logit_difference > 0
    assert result.dtype == dtype


def test_the_difference_is_of_every_token_computed_from_the_files(tmp_path: Path) -> None:
    decoder = Decoder(tiny_model("llama"))
    result = save(decoder, BLOCKS, tmp_path / "o", dtype="float16")
    model = reload(tmp_path / "o").float()
    ids = (torch.arange(48) * 7919 + 17) % decoder.vocabulary_size
    ids = ids.view(2, 24)
    with removed(Subnetwork(decoder, BLOCKS)):
        expected = logits(decoder.model, ids)
    assert result.max_logit_difference == pytest.approx(
        float((logits(model, ids) - expected).abs().max()), rel=1e-6
    )


def test_a_wider_dtype_loses_nothing(tmp_path: Path) -> None:
    decoder = Decoder(random_model(FAMILY_MODELS["llama"](), dtype=torch.bfloat16))
    assert save(decoder, BLOCKS, tmp_path / "o", dtype="float32").max_logit_difference == 0


def test_numbers_that_become_infinite_are_named(tmp_path: Path) -> None:
    model = tiny_model("llama").bfloat16()
    with torch.no_grad():
        model.get_parameter("model.layers.2.mlp.down_proj.weight")[0, 0] = 1e5
    failure = refuse(
        model, (Unit("block", 1),), tmp_path, "float16, whose largest number is 65504: 1 of them"
    )
    assert failure.details["tensors"] == {"model.layers.1.mlp.down_proj.weight": 1}
    save(Decoder(model), (Unit("block", 1), Unit("block", 2)), tmp_path / "o", dtype="float16")


def test_one_token_that_the_cast_loses_is_seen_though_no_fixed_row_has_it(tmp_path: Path) -> None:
    config = t_llama_config()
    config.rms_norm_eps = 1e-30
    model = random_model(config)
    with torch.no_grad():  # The norm that follows makes it large again; in fp16 it is zero.
        model.get_parameter("model.embed_tokens.weight")[40000].mul_(1e-9)
    refuse(model, BLOCKS, tmp_path, "differ from the subnetwork's in memory by up to")
    save(Decoder(model), BLOCKS, tmp_path / "wide", dtype="bfloat16")


def test_a_model_that_runs_out_of_the_range_of_its_dtype_is_refused(tmp_path: Path) -> None:
    """P-overflow: every weight fits into fp16, the stream does not."""
    model = random_model(t_llama_config(), dtype=torch.bfloat16)
    with torch.no_grad():
        model.get_parameter("model.layers.3.mlp.up_proj.weight").mul_(30)
        model.get_parameter("model.layers.3.mlp.down_proj.weight").mul_(3e4)
    refuse(model, BLOCKS, tmp_path, "fit into float16, but the model does not run in it")
    save(Decoder(model), BLOCKS, tmp_path / "wide", dtype="bfloat16")


@pytest.mark.parametrize("wrong", [0.02, float("nan")])
def test_files_that_hold_something_else_than_was_meant_are_refused(
    wrong: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of the writing itself, in a few numbers of one tensor."""

    def write(tensors: dict[str, Tensor], *rest: Any) -> Iterator[int]:
        norm = tensors["model.norm.weight"].clone()
        norm[:3] += wrong
        return write_tensors({**tensors, "model.norm.weight": norm}, *rest)

    monkeypatch.setattr("depthkit_worker.export.shards.write_tensors", write)
    decoder = Decoder(tiny_model("llama"))
    with pytest.raises(DepthkitError, match="The logits of the files") as failure:
        save(decoder, BLOCKS, tmp_path / "o")
    assert failure.value.code == "EXPORT_UNSUPPORTED"
    assert list(tmp_path.iterdir()) == []


def refuse(model: PreTrainedModel, units: tuple[Unit, ...], folder: Path, words: str) -> DepthkitError:
    with pytest.raises(DepthkitError, match=words) as failure:
        save(Decoder(model), units, folder / "o", dtype="float16")
    assert failure.value.code == "EXPORT_UNSUPPORTED"
    assert list(folder.iterdir()) == []
    return failure.value
