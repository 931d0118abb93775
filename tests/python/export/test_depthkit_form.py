"""depthkit's own checkpoint form, loaded by stock transformers, against the subnetwork in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    Phi3Config,
    PreTrainedTokenizerBase,
)

from data.builders import byte_level, sentence_piece
from depthkit_worker.contract.wire import ModelOptions, UnitKind
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import load_model
from depthkit_worker.models.stream_updates import Constant, Linear, LowRank
from depthkit_worker.models.units import Parts, Unit, removed_parts
from depthkit_worker.repair.repair import BlockEdit, Repair, slot_of
from depthkit_worker.repair.storage import make_repair
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from export.checkpoints import block_numbers, greedy, logits, reload, save, saved_config, tensor_names
from tiny import FAMILY_MODELS, SHAPE, random_model, tiny_model, token_ids

UNITS = (Unit("attention", 0), Unit("feed-forward", 1), Unit("block", 2), Unit("attention", 4))
"""The first attention, a feed-forward, a whole block, and an attention that follows another one."""


def random(*shape: int, scale: float = 0.1, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale


def low_rank(decoder: Decoder, reads: Any = "normed", rank: int = 3) -> LowRank:
    hidden = decoder.hidden_size
    return LowRank(random(hidden, rank), random(rank, hidden, seed=1), random(hidden, seed=2), reads, 1e-6)


def linear(decoder: Decoder, bias: bool = True) -> Linear:
    hidden = decoder.hidden_size
    return Linear(random(hidden, hidden, scale=0.02), random(hidden, seed=3) if bias else None)


def constant(decoder: Decoder) -> Constant:
    return Constant(random(decoder.hidden_size, seed=4))


def fill(decoder: Decoder, unit: Unit, update: nn.Module) -> Repair:
    slots: dict[str, Any] = {slot_of(unit.kind, decoder.parallel): update}
    return make_repair(decoder, "by-hand", [unit], {unit.index: BlockEdit(**slots)}, "{}")


def fills(decoder: Decoder) -> tuple[Repair, ...]:
    updates = [low_rank(decoder), constant(decoder), linear(decoder), low_rank(decoder, "raw")]
    return tuple(fill(decoder, unit, update) for unit, update in zip(UNITS, updates, strict=True))


def agree(decoder: Decoder, units: tuple[Unit, ...], folder: Path, repairs: tuple[Repair, ...]) -> None:
    """Reloaded logits are those in memory, bit for bit, and cached generation is uncached generation."""
    ids = token_ids(2, 11)
    model = reload(folder, trust_remote_code=True)
    with removed(Subnetwork(decoder, units, repairs)):
        expected = logits(decoder.model, ids)
        expected_ids = greedy(decoder.model, ids[:1], cache=DynamicCache())
    if decoder.config.model_type == "gpt2" and decoder.config.scale_attn_by_inverse_layer_idx:
        assert torch.allclose(logits(model, ids), expected, atol=1e-5)  # The fold rounds once.
    else:
        assert torch.equal(logits(model, ids), expected)
    assert greedy(model, ids[:1]) == expected_ids
    assert greedy(model, ids[:1], use_cache=False) == expected_ids


@pytest.mark.parametrize("repaired", [False, True])
@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_the_reloaded_model_is_the_one_in_memory(name: str, repaired: bool, tmp_path: Path) -> None:
    decoder = Decoder(tiny_model(name))
    repairs = fills(decoder) if repaired else ()
    before = logits(decoder.model, token_ids(2, 11))
    result = save(decoder, UNITS, tmp_path / "o", repairs=repairs)
    assert torch.equal(logits(decoder.model, token_ids(2, 11)), before)
    agree(decoder, UNITS, tmp_path / "o", repairs)
    assert result.layout == "depthkit"
    assert result.max_logit_difference is not None
    assert result.max_logit_difference < 1e-5
    assert result.kept_blocks == (0, 1, 3, 4, 5)
    assert saved_config(tmp_path / "o")[decoder.family.depth_key] == 3
    assert result.kv_bytes_per_token_after * 6 == result.kv_bytes_per_token_before * 3


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_sel3_removed_parts_have_no_parameters_and_no_cache(name: str, tmp_path: Path) -> None:
    decoder = Decoder(tiny_model(name))
    result = save(decoder, UNITS, tmp_path / "o")
    model = reload(tmp_path / "o", trust_remote_code=True)
    gone = sum(
        _removed_parameters(decoder, index, lost) for index, lost in enumerate(removed_parts(UNITS, 6))
    )
    assert result.parameters_before - result.parameters_after == gone
    assert sum(parameter.numel() for parameter in model.parameters()) == result.parameters_after
    with torch.no_grad():
        cache = model(input_ids=token_ids(1, 4), use_cache=True).past_key_values
    assert len([keys for keys, _, _ in cache if keys is not None and keys.numel()]) == 3


def _removed_parameters(decoder: Decoder, index: int, lost: Parts) -> int:
    """Those of a block's children that the logits do not depend on once `lost` is gone."""
    block = decoder.blocks[index]
    if lost is Parts.BOTH:
        return sum(parameter.numel() for parameter in block.parameters())
    if lost is Parts.NONE:
        return 0
    kind: UnitKind = "attention" if lost is Parts.ATTENTION else "feed-forward"
    ids = token_ids(2, 11)
    gone = 0
    with removed(Subnetwork(decoder, (Unit(kind, index),))):
        before = logits(decoder.model, ids)
        staying = {id(parameter) for parameter in block.parameters()}
        for name, parameter in block.named_parameters():
            if "norm" in name or "ln_" in name:
                old = parameter.data
                parameter.data = old + 1
                gone += old.numel() if torch.equal(logits(decoder.model, ids), before) else 0
                parameter.data = old
    return gone + sum(parameter.numel() for parameter in block.parameters() if id(parameter) not in staying)


def test_int4_no_tensor_is_too_many_and_the_card_says_how_to_load(tmp_path: Path) -> None:
    decoder = Decoder(tiny_model("llama-tied"))
    repairs = fills(decoder)
    result = save(decoder, UNITS, tmp_path / "o", repairs=repairs, max_shard_bytes=20_000)
    assert block_numbers(tmp_path / "o") == {0, 1, 2}
    index = json.loads((tmp_path / "o" / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == set(tensor_names(tmp_path / "o"))
    assert "lm_head.weight" not in index["weight_map"]
    assert index["metadata"]["total_size"] == result.weight_bytes_after == 4 * result.parameters_after
    card = (tmp_path / "o" / "README.md").read_text()
    for fact in (
        "trust_remote_code=True",
        "`attention.0`",
        "by-hand for block.2",
        "| Layers | 6 before, 3 now |",
    ):
        assert fact in card
    assert "modeling_depthkit.py" in {file.name for file in result.files}
    assert "block 0 is without its attention" in result.notes[0]


def test_exp7_widths_narrower_than_loaded_are_cast_once(tmp_path: Path) -> None:
    decoder = Decoder(tiny_model("llama"))
    result = save(decoder, UNITS, tmp_path / "o", repairs=fills(decoder), dtype="bfloat16")
    assert set(tensor_names(tmp_path / "o").values()) == {"BF16"}
    assert result.weight_bytes_after == 2 * result.parameters_after
    model = reload(tmp_path / "o", trust_remote_code=True)
    assert model.dtype == torch.bfloat16
    assert torch.isfinite(logits(model, token_ids(1, 5))).all()


def test_an_older_library_is_refused_by_version_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, oldest in {
        "llama": "4.48",
        "qwen3": "4.57",
        "qwen2-sliding": "4.57",
        "gpt_neox": "5.17",
    }.items():
        result = save(Decoder(tiny_model(name)), UNITS, tmp_path / name)
        assert f"from {oldest} on; it was run with" in result.notes[0]
        assert result.notes[0] in (tmp_path / name / "README.md").read_text()
        text = (tmp_path / name / "modeling_depthkit.py").read_text()
        with monkeypatch.context() as patch:
            patch.setattr("transformers.__version__", "4.46.3")
            with pytest.raises(
                ImportError, match=f"needs transformers {oldest} or newer, and 4.46.3 is installed"
            ):
                exec(compile(text, "modeling_depthkit.py", "exec"), {"__name__": "modeling_depthkit"})


@pytest.mark.parametrize("loader", [AutoModel, AutoModelForCausalLM])
def test_a_missing_tensor_is_refused_and_not_random(loader: Any, tmp_path: Path) -> None:
    save(Decoder(tiny_model("gemma3_text")), UNITS, tmp_path / "o")
    path = tmp_path / "o" / "model.safetensors"
    tensors = load_file(path)
    gone = "model.layers.0.before.0.block.mlp.up_proj.weight"
    save_file(
        {name: tensor for name, tensor in tensors.items() if name != gone}, path, metadata={"format": "pt"}
    )
    with pytest.raises(RuntimeError, match=r"1 tensors of .* were not found and 0 have another shape"):
        loader.from_pretrained(tmp_path / "o", trust_remote_code=True)


def test_no_attention_left_is_refused(tmp_path: Path) -> None:
    decoder = Decoder(tiny_model("llama"))
    with pytest.raises(DepthkitError, match="keep one") as failure:
        save(decoder, tuple(Unit("attention", index) for index in range(6)), tmp_path / "o")
    assert failure.value.code == "EXPORT_UNSUPPORTED"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", [byte_level, sentence_piece])
def test_text_is_split_as_in_the_source_though_the_library_overrules_its_tokenizer_class(
    make: Callable[..., PreTrainedTokenizerBase], tmp_path: Path
) -> None:
    """Published Phi-3 checkpoints name the class LlamaTokenizer, which the library knows better for
    `model_type: phi3`, and would believe for a type that it does not know."""
    source = tmp_path / "source"
    random_model(Phi3Config(**{**SHAPE, "vocab_size": 1000}, sliding_window=None)).save_pretrained(source)
    make(bos=True, adds_bos=True).save_pretrained(source)
    settings = json.loads((source / "tokenizer_config.json").read_text())
    (source / "tokenizer_config.json").write_text(
        json.dumps({**settings, "tokenizer_class": "LlamaTokenizer"})
    )
    decoder = load_model(str(source), tmp_path, ModelOptions(device="cpu"), Unattended())
    save(decoder, UNITS, tmp_path / "o")
    loaded = AutoTokenizer.from_pretrained(tmp_path / "o", trust_remote_code=True)
    for text in ("Two  spaces, a\ttab.\nNaïve café 漢字", " in front"):
        assert loaded(text).input_ids == decoder.require_tokenizer()(text).input_ids


def test_the_base_model_loads_alone(tmp_path: Path) -> None:
    decoder = Decoder(tiny_model("opt"))
    save(decoder, UNITS, tmp_path / "o")
    base = AutoModel.from_pretrained(tmp_path / "o", trust_remote_code=True)
    assert "DepthkitLayer" in base._no_split_modules
    whole = reload(tmp_path / "o", trust_remote_code=True)
    ids = token_ids(1, 6)
    with torch.no_grad():
        hidden = base(input_ids=ids).last_hidden_state
    assert torch.allclose(whole.get_output_embeddings()(hidden), logits(whole, ids), atol=1e-5)


def test_a_static_cache_is_right_too(tmp_path: Path) -> None:
    decoder = Decoder(tiny_model("llama"))
    save(decoder, UNITS, tmp_path / "o", repairs=fills(decoder))
    model = reload(tmp_path / "o", trust_remote_code=True)
    ids = token_ids(1, 7)
    # Not compiled: that is what generate does with a static cache on a GPU.
    written = greedy(model, ids, cache_implementation="static", disable_compile=True)
    assert written == greedy(model, ids, use_cache=False)


def test_saved_again_by_the_library_it_still_loads(tmp_path: Path) -> None:
    decoder = Decoder(tiny_model("qwen3_moe"))
    repairs = fills(decoder)
    save(decoder, UNITS, tmp_path / "o", repairs=repairs)
    reload(tmp_path / "o", trust_remote_code=True).save_pretrained(tmp_path / "again")
    agree(decoder, UNITS, tmp_path / "again", repairs)


def test_a_process_with_transformers_alone_loads_it(tmp_path: Path) -> None:
    """No depthkit on the path: the folder carries all the code there is. Three of them in one process."""
    ids = token_ids(1, 7)
    expected = []
    for name in ("llama", "gemma3_text", "gpt_neox-parallel"):
        decoder = Decoder(tiny_model(name))
        repairs = fills(decoder)
        save(decoder, UNITS, tmp_path / name, repairs=repairs)
        with removed(Subnetwork(decoder, UNITS, repairs)):
            expected += [greedy(decoder.model, ids, cache=DynamicCache())] * 2
    program = """
import importlib.util, json, sys, torch
from transformers import AutoModelForCausalLM
assert importlib.util.find_spec("depthkit_worker") is None
ids = torch.tensor(json.loads(sys.argv[1]))
options = dict(attention_mask=torch.ones_like(ids), max_new_tokens=10, do_sample=False, pad_token_id=0)
written = []
for folder in sys.argv[2:]:
    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)
    written += [model.generate(ids, use_cache=cache, **options)[0].tolist() for cache in (True, False)]
print(json.dumps(written))
"""
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    kept = os.pathsep.join(path for path in paths if path and not (Path(path) / "depthkit_worker").exists())
    environment = {**os.environ, "PYTHONPATH": kept, "HF_MODULES_CACHE": str(tmp_path / "modules")}
    folders = [str(tmp_path / name) for name in ("llama", "gemma3_text", "gpt_neox-parallel")]
    run = subprocess.run(
        [sys.executable, "-c", program, json.dumps(ids.tolist()), *folders],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=environment,
    )
    assert json.loads(run.stdout.splitlines()[-1]) == expected
