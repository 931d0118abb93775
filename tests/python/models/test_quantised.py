"""Quantised checkpoints as they are loaded: what transformers runs, counted as what it stands for."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import bitsandbytes
import compressed_tensors
import pytest
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import (
    EngineOptions,
    InfluenceGradientOptions,
    InfluenceOptions,
    ProfileOptions,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.influence.gradients import gradient_influence
from depthkit_worker.influence.static import static_influence
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.model_digest import model_digest
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.profiling.profile import profile
from depthkit_worker.profiling.unit_costs import unit_costs
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from models.folders import change_config, config_of, loaded, refusal
from quantised import KINDS, as_transformers_runs_it, quantised, small_llama
from subnetworks.physical import corpus_of, one_removed
from tiny import DEPTH, token_ids

IDS = token_ids(3, 11)
QUICK = ProfileOptions(
    modes=("physical",),
    prompt_tokens=4,
    context_tokens=4,
    new_tokens=1,
    batch_sizes=(1,),
    rounds=1,
    warmup_rounds=0,
)
PACKED = [kind for kind in KINDS if kind.startswith("bitsandbytes")]
ROUNDED = [kind for kind in KINDS if "activations" in kind]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, words: PreTrainedTokenizerBase) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("quantised")
    return {
        kind: quantised(kind, small_llama(), words, top / str(number)) for number, kind in enumerate(KINDS)
    }


@torch.no_grad()
def logits(model: Any, ids: Tensor = IDS) -> Tensor:
    found: Tensor = model(input_ids=ids, use_cache=False).logits
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_it_answers_as_transformers_runs_it_bit_for_bit(
    kind: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    decoder = loaded(folders[kind], tmp_path)
    stock = as_transformers_runs_it(folders[kind])
    assert stock.dtype == decoder.dtype == torch.float32
    one_by_one = torch.cat([logits(stock, row[None]) for row in IDS])
    assert torch.equal(logits(decoder.model), one_by_one)
    assert not torch.equal(one_by_one, torch.cat([logits(small_llama(), row[None]) for row in IDS]))
    with torch.no_grad():
        replay = decoder.begin(IDS)
        assert torch.equal(decoder.logits(decoder.stream(replay, DEPTH), replay), one_by_one)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_answers_alike_whatever_stands_beside_it(
    kind: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    model = loaded(folders[kind], tmp_path).model
    for block in model.model.layers:
        block.input_layernorm.weight.data *= 8  # 8-bit products leave columns of large numbers as they are.
    assert torch.equal(logits(model)[:1], logits(model, IDS[:1]))


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_how_it_is_quantised_and_counts_what_it_stands_for(
    kind: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    decoder = loaded(folders[kind], tmp_path)
    found = decoder.source.quantisation
    assert found is not None
    assert (found.method, found.bits) == (kind.split()[0], (4,) if "4" in kind or "pattern" in kind else (8,))
    versions = {
        "bitsandbytes": f"bitsandbytes {bitsandbytes.__version__}",
        "compressed-tensors": f"compressed-tensors {compressed_tensors.__version__}",
        "fp8": None,
    }
    assert found.library == versions[found.method]
    assert found.packed == (kind in PACKED)
    assert found.rounds_activations == (kind in ROUNDED)
    assert decoder.source.stored_dtype == "float32"
    assert decoder.parameters == Decoder(small_llama()).parameters
    if not found.packed:
        assert "makes plain weights of it" in decoder.source.notes[0]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_it_changes_while_it_runs(kind: str, folders: dict[str, Path], tmp_path: Path) -> None:
    decoder = loaded(folders[kind], tmp_path)
    before = weights_checksum(decoder)
    logits(decoder.model)
    assert weights_checksum(decoder) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_costs_what_it_takes_in_the_files(kind: str, folders: dict[str, Path], tmp_path: Path) -> None:
    decoder = loaded(folders[kind], tmp_path)
    costs = unit_costs(decoder, Unattended())
    block, attention, feed_forward = costs.kinds
    sizes = decoder.source.stored_bytes
    assert costs.stored_bytes == sum(sizes.values()) < decoder.parameters * 4
    norms = 2 * decoder.hidden_size * 4
    for index in range(DEPTH):
        own = sum(size for name, size in sizes.items() if f".layers.{index}." in name)
        assert block.stored_bytes[index] == own
        assert own == attention.stored_bytes[index] + feed_forward.stored_bytes[index] + norms
    plain = unit_costs(Decoder(small_llama()), Unattended())
    assert [kind.parameters for kind in costs.kinds] == [kind.parameters for kind in plain.kinds]
    dense, without = profile(Subnetwork(decoder, (Unit("block", 1),)), QUICK, Unattended()).models
    assert dense.stored_bytes == costs.stored_bytes
    assert dense.stored_bytes - without.stored_bytes == block.stored_bytes[1]
    assert dense.parameters - without.parameters == block.parameters[1]
    # One feed-forward's last matrix was left as it was, and those that no pattern names.
    assert feed_forward.stored_bytes[3] > feed_forward.stored_bytes[2]


@pytest.mark.parametrize("kind", KINDS)
def test_the_engine_measures_what_the_model_does_without_the_units(
    kind: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    decoder = loaded(folders[kind], tmp_path)
    units = [Unit(kind, index) for kind in UNIT_KINDS for index in (1, 4)]
    corpus = corpus_of(list(IDS))
    result = evaluate_subnetworks(
        decoder, corpus, one_removed(units), ("loss",), EngineOptions(), Unattended()
    )
    for unit, found in zip(units, result.values[:, 0], strict=True):
        with removed(Subnetwork(decoder, (unit,))):
            scores = logits(decoder.model)[:, :-1].log_softmax(-1)
        loss = -scores.gather(-1, IDS[:, 1:, None]).double().mean()
        assert found == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_influence_is_measured(kind: str, folders: dict[str, Path], tmp_path: Path) -> None:
    decoder = loaded(folders[kind], tmp_path)
    corpus = corpus_of(list(IDS))
    found = static_influence(decoder, corpus, InfluenceOptions(), Unattended()).values
    plain = static_influence(Decoder(small_llama()), corpus, InfluenceOptions(), Unattended()).values
    assert float((found - plain).abs().max()) < 0.2 * float(plain.abs().max())
    assert not torch.equal(found, plain)


def test_what_it_answers_is_named_by_its_quantisation_too(folders: dict[str, Path], tmp_path: Path) -> None:
    decoder = loaded(folders["bitsandbytes 4 bit"], tmp_path)
    digests = {model_digest(decoder)}
    for library in ("bitsandbytes 0.0.1", "bitsandbytes 0.0.2"):
        found = decoder.source.quantisation
        other = Decoder.__new__(Decoder)
        other.__dict__ |= decoder.__dict__
        assert found is not None
        other.source = replace(decoder.source, quantisation=replace(found, library=library))
        digests.add(model_digest(other))
    assert len(digests) == 3


@pytest.mark.parametrize("kind", [*PACKED, *ROUNDED])
def test_gradients_in_weights_are_refused_where_there_are_none(
    kind: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    decoder = loaded(folders[kind], tmp_path)
    with pytest.raises(DepthkitError, match="Taking gradients of the loss in weights") as failure:
        gradient_influence(decoder, corpus_of(list(IDS)), InfluenceGradientOptions(), Unattended())
    assert failure.value.code == "MODEL_UNSUPPORTED"
    assert "quantised from" in failure.value.message


def test_gradients_are_those_of_the_weights_that_it_was_made_plain_to(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    decoder = loaded(folders["compressed-tensors int4"], tmp_path)
    found = gradient_influence(decoder, corpus_of(list(IDS)), InfluenceGradientOptions(), Unattended())
    assert bool((found.values[:, 0] > 0).all())
    assert found.weights.tolist() == (
        gradient_influence(
            Decoder(small_llama()), corpus_of(list(IDS)), InfluenceGradientOptions(), Unattended()
        ).weights.tolist()
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quant_method": "gptq", "bits": 4, "group_size": 128}, ["by GPTQ", "gptqmodel", "quantised from"]),
        ({"quant_method": "awq", "bits": 4, "modules_to_not_convert": []}, ["by AWQ", "gptqmodel"]),
        ({"quant_method": "of tomorrow"}, ["by of tomorrow", "none of the kinds that depthkit has run"]),
        (
            {"quant_method": "compressed-tensors", "kv_cache_scheme": {"num_bits": 8}},
            [
                "a rounded cache of keys and values (kv_cache_scheme)",
                "CompressedTensorsConfig(dequantize=True)",
            ],
        ),
        ({"quant_method": "compressed-tensors", "transform_config": {"a": 1}}, ["rotations of the stream"]),
        ({"quant_method": "compressed-tensors", "sparsity_config": {"a": 1}}, ["sparse weights"]),
        ({"quant_method": "compressed-tensors", "config_groups": {}}, ["with how many bits"]),
    ],
)
def test_what_does_not_run_is_refused_by_name_before_weights_are_read(
    change: dict[str, Any], said: list[str], folders: dict[str, Path], tmp_path: Path
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "config.json").write_text((folders["fp8"] / "config.json").read_text())
    (source / "model.safetensors").write_bytes(b"")  # Not looked at.
    change_config(source, quantization_config=change)
    failure = refusal(source, tmp_path)
    assert failure.code == "MODEL_UNSUPPORTED"
    assert failure.details["quantMethod"] == change["quant_method"]
    for words in said:
        assert words in failure.message


def test_a_configuration_in_another_place_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "model.safetensors").write_bytes(b"")
    config = config_of(folders["fp8"])
    own = config.pop("quantization_config")
    (source / "config.json").write_text("{}")
    change_config(source, **config, compression_config=own)
    assert "its compression_config stands where" in refusal(source, tmp_path).message
    change_config(source, compression_config=None, text_config={"quantization_config": own})
    assert "its quantization_config stands where" in refusal(source, tmp_path).message
    change_config(source, text_config=None, quantization_config={"bits": 4})
    failure = refusal(source, tmp_path)
    assert failure.code == "MODEL_INVALID"
    assert "names no quant_method" in failure.message


def test_an_adapter_is_not_merged_into_it(folders: dict[str, Path], tmp_path: Path) -> None:
    failure = refusal(folders["bitsandbytes 8 bit"], tmp_path, adapter="mine")
    assert failure.code == "MODEL_UNSUPPORTED"
    assert "the adapter mine would be merged into plain weights" in failure.message


def test_a_quantised_head_is_refused(
    words: PreTrainedTokenizerBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quantised.LEFT", ["model.layers.3.mlp.down_proj"])
    folder = quantised("bitsandbytes 4 bit", small_llama(), words, tmp_path / "headless")
    failure = refusal(folder, tmp_path)
    assert failure.code == "MODEL_UNSUPPORTED"
    assert "its head or its embedding is quantised too" in failure.message


PROGRAM = """
import sys
from pathlib import Path
from depthkit_worker.contract.wire import ModelOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.load import load_model
from depthkit_worker.session.job import Unattended
try:
    load_model(sys.argv[1], Path(sys.argv[2]), ModelOptions(device="cpu"), Unattended())
except DepthkitError as error:
    print(error.code, error.message)
"""


@pytest.mark.parametrize(
    ("kind", "package", "recipe"),
    [
        ("bitsandbytes 8 bit", bitsandbytes, ").dequantize()"),
        ("compressed-tensors int4", compressed_tensors, "CompressedTensorsConfig(dequantize=True)"),
    ],
)
def test_without_its_library_it_is_refused_with_what_to_run(
    kind: str, package: Any, recipe: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    place = Path(package.__file__).parents[1]
    if Path(sys.prefix) in place.parents:
        pytest.skip(f"{package.__name__} is a part of the interpreter's own environment")
    path = [one for one in os.environ["PYTHONPATH"].split(os.pathsep) if Path(one) != place]
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folders[kind]), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.startswith("MODULE_MISSING")
    assert f"needs the Python module {package.__name__}" in said
    assert f"--with {kind.split()[0]}" in said or f"requirements-{kind.split()[0]}.txt" in said
    assert recipe in said
