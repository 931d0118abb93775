"""GGUF files as they are written, read back by the gguf package. What llama.cpp answers with them is tested
in tests/integration/gguf.test.ts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from transformers import (
    LlamaConfig,
    PreTrainedTokenizerBase,
    SmolLM3Config,
)

from data.builders import LLAMA3_SPLIT, byte_level, sentence_piece
from depthkit_worker.contract.wire import ExportGgufResult, GgufOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.can_export import can_export
from depthkit_worker.export.gguf.export_gguf import export_gguf
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.folders import sha256_of_files
from depthkit_worker.models.manifest import Manifest, write_manifest
from depthkit_worker.models.source import Source
from depthkit_worker.models.stream_updates import Constant, Linear, LowRank, Scale
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.repair.storage import make_repair
from depthkit_worker.repair.weight_changes import Sum
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import FAMILY_MODELS, SHAPE, random_model

BLOCK = Unit("block", 2)


def write(
    decoder: Decoder, target: Path, *units: str, repairs: tuple[Repair, ...] = (), **options: Any
) -> ExportGgufResult:
    subnetwork = Subnetwork(decoder, tuple(map(Unit.parse, units)), repairs)
    return export_gguf(subnetwork, target, GgufOptions(**options), Unattended())


def tensors(path: Path) -> dict[str, gguf.ReaderTensor]:
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}


def key(path: Path, name: str) -> Any:
    field = gguf.GGUFReader(path).get_field(name)
    return None if field is None else field.contents()


def raw(tensor: gguf.ReaderTensor) -> bytes:
    return np.ascontiguousarray(tensor.data).tobytes()


def weight(decoder: Decoder, block: int, name: str) -> torch.Tensor:
    return decoder.blocks[block].get_parameter(f"{name}.weight")


def fill(decoder: Decoder, update: torch.nn.Module) -> Repair:
    return make_repair(decoder, "by-hand", [BLOCK], {2: BlockEdit(beside=update)}, "{}")


def llama(tokenizer: PreTrainedTokenizerBase) -> Decoder:
    """A random one that did not come from a GGUF file."""
    shape = {**SHAPE, "vocab_size": 704, "intermediate_size": 64}
    return Decoder(random_model(LlamaConfig(**shape)), tokenizer)


def from_gguf(decoder: Decoder, base: Path, folder: Path) -> Decoder:
    """The same model, in a folder that says that it was made from `base`."""
    folder.mkdir()
    digest = sha256_of_files([base], lambda: None) if base.exists() else "a" * 64
    write_manifest(folder, Manifest(base.name, digest), lambda: None)
    source = Source(str(base), None, folder, "0" * 64, "float32")
    return Decoder(decoder.model, decoder.tokenizer, source)


@pytest.fixture(scope="module")
def converted() -> Decoder:
    return llama(byte_level())


@pytest.fixture(scope="module")
def base(converted: Decoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model as a quantised GGUF file."""
    path = tmp_path_factory.mktemp("gguf") / "base.gguf"
    assert write(converted, path, dtype="q8_0").base is None
    return path


@pytest.fixture(scope="module")
def loaded(converted: Decoder, base: Path) -> Decoder:
    return from_gguf(converted, base, base.parent / "model")


def test_a_base_is_copied_byte_for_byte_and_renumbered(loaded: Decoder, base: Path, tmp_path: Path) -> None:
    result = write(loaded, tmp_path / "out.gguf", "block.1", "attention.3")
    before, after = tensors(base), tensors(tmp_path / "out.gguf")
    assert result.architecture == "deci"
    assert result.base is not None
    for new, old in enumerate([0, 2, 3, 4, 5]):
        for name, tensor in after.items():
            if name.startswith(f"blk.{new}."):
                there = before[name.replace(f"blk.{new}.", f"blk.{old}.")]
                assert (raw(tensor), tensor.tensor_type) == (raw(there), there.tensor_type)
    assert not any(name.startswith("blk.2.attn") for name in after)
    assert key(tmp_path / "out.gguf", "deci.attention.head_count_kv") == [2, 2, 0, 2, 2]
    assert key(tmp_path / "out.gguf", "deci.attention.head_count") == [4, 4, 0, 4, 4]
    for name in ("model", "pre", "tokens", "merges", "token_type"):
        assert key(tmp_path / "out.gguf", f"tokenizer.ggml.{name}") == key(base, f"tokenizer.ggml.{name}")


def test_changed_weights_are_half_floats_beside_quantised_ones(
    loaded: Decoder, base: Path, tmp_path: Path
) -> None:
    a, b = torch.randn(2, 32), torch.randn(32, 2)
    edits = {4: BlockEdit(weights={"self_attn.q_proj.weight": Sum(a, b, 0.1)})}
    repair = make_repair(loaded, "lora", [BLOCK], edits, "{}")
    result = write(loaded, tmp_path / "out.gguf", "block.2", repairs=(repair,))
    assert any("blk.3.attn_q.weight" in warning for warning in result.warnings)
    after = tensors(tmp_path / "out.gguf")
    assert after["blk.3.attn_q.weight"].tensor_type is gguf.GGMLQuantizationType.F16
    # llama.cpp pairs neighbouring rows of a head where transformers pairs its halves.
    changed = weight(loaded, 4, "self_attn.q_proj").detach() + 0.1 * b @ a
    wanted = changed.numpy().reshape(4, 2, 4, 32).swapaxes(1, 2).reshape(32, 32)
    assert np.allclose(after["blk.3.attn_q.weight"].data.astype(np.float32), wanted, atol=2e-3)
    kinds = {one.tensor_type for name, one in after.items() if name != "blk.3.attn_q.weight"}
    assert kinds == {gguf.GGMLQuantizationType.Q8_0, gguf.GGMLQuantizationType.F32}


def test_an_export_of_an_export_has_both_steps(loaded: Decoder, tmp_path: Path) -> None:
    first = tmp_path / "first.gguf"
    write(loaded, first, "block.1", note="one")
    pruned = Decoder(random_model(LlamaConfig(**{**loaded.config.to_dict(), "num_hidden_layers": 5})))
    again = from_gguf(pruned, first, tmp_path / "again")
    write(again, tmp_path / "second.gguf", "block.0", note="two")
    assert [name in key(tmp_path / "second.gguf", "depthkit.provenance") for name in ("one", "two")] == [
        True
    ] * 2


def test_only_the_base_itself_is_taken(
    loaded: Decoder, base: Path, converted: Decoder, tmp_path: Path
) -> None:
    other = tmp_path / "other.gguf"
    write(converted, other, "block.1", dtype="q8_0")
    with pytest.raises(DepthkitError, match="made from the file with") as refused:
        write(loaded, tmp_path / "out.gguf", "block.1", base=str(other))
    assert refused.value.code == "INVALID_ARGUMENT"
    with pytest.raises(DepthkitError, match="was not loaded from a GGUF"):
        write(converted, tmp_path / "out.gguf", "block.1", base=str(base))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.gguf"]


def test_what_cannot_be_replaced_or_written_is_refused(converted: Decoder, tmp_path: Path) -> None:
    target = tmp_path / "out.gguf"
    with pytest.raises(DepthkitError, match="ends in"):
        write(converted, tmp_path / "out.bin")
    write(converted, target, "block.1")
    with pytest.raises(DepthkitError, match="ask to overwrite") as refused:
        write(converted, target, "block.1")
    assert refused.value.code == "TARGET_NOT_EMPTY"
    write(converted, target, "block.1", "block.2", overwrite=True)
    assert key(target, "llama.block_count") == 4
    before = target.read_bytes()
    changed = weight(converted, 0, "mlp.up_proj")
    value = float(changed.data[0, 0])
    changed.data[0, 0] = 1e6
    try:
        with pytest.raises(DepthkitError, match="larger than any float16"):
            write(converted, target, "block.1", overwrite=True, dtype="float16")
    finally:
        changed.data[0, 0] = value
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["out.gguf"]


def test_a_constant_stands_in_the_bias_below_and_a_low_rank_update_is_a_layer(
    converted: Decoder, tmp_path: Path
) -> None:
    vector = torch.randn(32)
    write(converted, tmp_path / "a.gguf", "block.2", repairs=(fill(converted, Constant(vector)),))
    found = tensors(tmp_path / "a.gguf")
    assert np.array_equal(found["blk.1.ffn_down.bias"].data, vector.numpy())
    eps = converted.config.rms_norm_eps
    update = LowRank(torch.randn(32, 3), torch.randn(3, 32), torch.randn(32), "normed", eps)
    result = write(converted, tmp_path / "b.gguf", "block.2", repairs=(fill(converted, update),))
    assert (result.architecture, result.layers) == ("deci", 6)
    assert key(tmp_path / "b.gguf", "deci.feed_forward_length") == [64, 64, 3, 64, 64, 64]
    found = tensors(tmp_path / "b.gguf")
    x = torch.randn(5, 32)
    z = (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)).numpy()
    gate = z @ found["blk.2.ffn_gate.weight"].data.T + found["blk.2.ffn_gate.bias"].data
    gate = torch.nn.functional.silu(torch.from_numpy(gate)).numpy()
    inner = gate * (z @ found["blk.2.ffn_up.weight"].data.T)
    made = inner @ found["blk.2.ffn_down.weight"].data.T + found["blk.2.ffn_down.bias"].data
    assert np.allclose(made, update(x).detach().numpy(), atol=1e-4)


UNHELD: dict[str, Callable[[], torch.nn.Module]] = {
    "raw low-rank": lambda: LowRank(torch.zeros(32, 2), torch.zeros(2, 32), None, "raw", 1e-6),
    "another epsilon": lambda: LowRank(torch.zeros(32, 2), torch.zeros(2, 32), None, "normed", 1e-3),
    "patch": lambda: Linear(torch.zeros(32, 32)),
}


@pytest.mark.parametrize("name", UNHELD)
def test_updates_that_no_layer_is_are_refused(name: str, converted: Decoder, tmp_path: Path) -> None:
    repair = fill(converted, UNHELD[name]())
    answer = can_export(Subnetwork(converted, (BLOCK,), (repair,)), "gguf")
    assert not answer.possible and answer.reason is not None and answer.nearest is not None
    assert (answer.nearest.removed, answer.nearest.repairs) == (("block.2",), ())
    with pytest.raises(DepthkitError) as refused:
        write(converted, tmp_path / "out.gguf", "block.2", repairs=(repair,))
    assert refused.value.code == "EXPORT_UNSUPPORTED" and answer.reason in refused.value.message
    assert list(tmp_path.iterdir()) == []


def answer_to(decoder: Decoder, *units: str) -> Any:
    return can_export(Subnetwork(decoder, tuple(map(Unit.parse, units))), "gguf")


def test_families_whose_blocks_go_by_their_number(tmp_path: Path) -> None:
    smollm3 = Decoder(random_model(SmolLM3Config(**SHAPE)))
    smollm3 = from_gguf(smollm3, tmp_path / "smollm3.gguf", tmp_path / "smollm3")
    off = answer_to(smollm3, "block.1")
    assert not off.possible and "rotary positions" in off.reason
    assert answer_to(smollm3, *off.nearest.removed).possible
    gemma2 = Decoder(random_model(FAMILY_MODELS["gemma2"]()))
    gemma2 = from_gguf(gemma2, tmp_path / "gemma2.gguf", tmp_path / "gemma2")
    assert answer_to(gemma2, "block.1").possible
    sublayer = answer_to(gemma2, "block.1", "attention.3")
    assert not sublayer.possible and "Llama's shape" in sublayer.reason
    assert sublayer.nearest.removed == ("block.1",)


def test_a_checkpoint_of_another_family_is_not_converted(tmp_path: Path) -> None:
    decoder = Decoder(random_model(FAMILY_MODELS["qwen3"]()))
    answer = answer_to(decoder)
    assert not answer.possible and "convert_hf_to_gguf.py" in answer.reason
    assert answer.nearest is None


def test_gemma_windows_stay_with_their_blocks(tmp_path: Path) -> None:
    decoder, base = Decoder(random_model(FAMILY_MODELS["gemma2"]())), tmp_path / "gemma2.gguf"
    writer = gguf.GGUFWriter(base, "gemma2")
    writer.add_uint32("gemma2.block_count", decoder.depth)
    writer.add_tensor("token_embd.weight", np.zeros((4, 32), np.float32))
    writer.add_tensor("output_norm.weight", np.zeros(32, np.float32))
    for number in range(decoder.depth):
        writer.add_tensor(f"blk.{number}.ffn_down.weight", np.full((2, 32), number, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    target = tmp_path / "out.gguf"
    write(from_gguf(decoder, base, tmp_path / "gemma2"), target, "block.1", "block.4")
    slides = [kind == "sliding_attention" for kind in decoder.config.layer_types]
    wanted = [slides[index] for index in (0, 2, 3, 5)]
    assert wanted != slides[:4]
    assert key(target, "gemma2.attention.sliding_window_pattern") == wanted
    assert [float(tensors(target)[f"blk.{new}.ffn_down.weight"].data[0, 0]) for new in range(4)] == [
        0,
        2,
        3,
        5,
    ]


def test_a_tokenizer_is_named_by_what_it_does(tmp_path: Path) -> None:
    write(llama(byte_level(bos=True, adds_bos=True)), tmp_path / "out.gguf")
    assert key(tmp_path / "out.gguf", "tokenizer.ggml.pre") == "gpt-2"
    assert key(tmp_path / "out.gguf", "tokenizer.ggml.add_bos_token") is True
    for tokenizer in (byte_level(split=r"\p{L}+"), byte_level(split=LLAMA3_SPLIT), sentence_piece()):
        assert not answer_to(llama(tokenizer)).possible


def test_a_factor_is_folded_into_what_is_above(converted: Decoder, tmp_path: Path) -> None:
    write(converted, tmp_path / "out.gguf", "block.2", repairs=(fill(converted, Scale(2.0)),))
    found, down = tensors(tmp_path / "out.gguf"), "ffn_down.weight"
    for new, old, factor in ((1, 1, 1.0), (2, 3, 0.5), (4, 5, 0.5)):
        own = weight(converted, old, "mlp.down_proj").detach().numpy()
        assert np.array_equal(found[f"blk.{new}.{down}"].data, own * np.float32(factor))
