"""Damaged and hostile files: each ends in the code of its kind, with the file, the place and what to do.
Never as a fault of depthkit's own, never with a program of the checkpoint's run."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import EmulatedUpdateOptions, RepairSaveOptions
from depthkit_worker.data import unpacking
from depthkit_worker.data.files import read_records
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.repair.methods import fit_repairs
from depthkit_worker.repair.storage import load_repairs, save_repairs
from depthkit_worker.session.job import Unattended
from models.folders import change_config, config_of, refusal, saved
from repair.builders import base_of
from tiny import t_llama, tiny_model

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
CONFIG = "config.json"
LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 538090408\n".format("a" * 64)
HTML = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n"
DEEP = 100_000


@pytest.fixture
def source(tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase) -> Path:
    return saved(t_llama(), smollm2_tokenizer, tmp_path / "source")


Damage = Callable[[Path], object]


def text(name: str, content: str) -> Damage:
    return lambda folder: (folder / name).write_text(content)


def raw(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content)


def config(**changes: object) -> Damage:
    return lambda folder: change_config(folder, **changes)


def cut(name: str, share: float) -> Damage:
    return lambda folder: os.truncate(folder / name, int((folder / name).stat().st_size * share))


def index(content: object) -> Damage:
    def damage(folder: Path) -> None:
        (folder / WEIGHTS).rename(folder / "part.safetensors")
        (folder / INDEX).write_text(json.dumps(content))

    return damage


def index_to(shard: object) -> Damage:
    return index({"metadata": {}, "weight_map": {"model.norm.weight": shard}})


class Program:
    """What a hostile pickle asks to be called."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path(os.environ["DEPTHKIT_TEST_RAN"]),)


def pickled(content: Callable[[Path], object]) -> Damage:
    def damage(folder: Path) -> None:
        torch.save(content(folder), folder / "pytorch_model.bin")
        (folder / WEIGHTS).unlink()

    return damage


def plain_pickle(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Program()))


def cut_pickle(folder: Path) -> None:
    pickled(lambda folder: load_file(folder / WEIGHTS))(folder)
    cut("pytorch_model.bin", 0.5)(folder)


CASES: dict[str, tuple[Damage, str, list[str]]] = {
    # config.json
    "config nested deep": (text(CONFIG, "[" * DEEP), "MODEL_INVALID", [CONFIG, "nested too deep"]),
    "config nested in an object": (
        text(CONFIG, '{"model_type": "llama", "x": ' + "[" * DEEP + "]" * DEEP + "}"),
        "MODEL_INVALID",
        [CONFIG, "nested too deep"],
    ),
    "config empty": (text(CONFIG, ""), "MODEL_INVALID", [CONFIG, "empty (0 bytes)"]),
    "config binary": (raw(CONFIG, b"\xff\xfe\x00{"), "MODEL_INVALID", [CONFIG, "not JSON"]),
    "config a list": (text(CONFIG, "[1]"), "MODEL_INVALID", [CONFIG, "holds a list where an object belongs"]),
    "config an LFS pointer": (
        text(CONFIG, LFS),
        "MODEL_INVALID",
        [CONFIG, "Git LFS pointer", "538,090,408 bytes"],
    ),
    "config an HTML page": (text(CONFIG, HTML), "MODEL_INVALID", [CONFIG, "HTML page of 65 bytes"]),
    "model_type a list": (config(model_type=["llama"]), "MODEL_UNSUPPORTED", ["['llama']", "gpt_neox"]),
    "model_type null": (config(model_type=None), "MODEL_UNSUPPORTED", ["None", "gpt_neox"]),
    "unknown activation": (config(hidden_act="nope"), "MODEL_INVALID", [CONFIG, "'nope'"]),
    "unknown rope": (
        config(rope_parameters={"rope_type": "nope", "rope_theta": 1e4}),
        "MODEL_INVALID",
        [CONFIG, "'nope'"],
    ),
    "rope a number": (config(rope_parameters=7), "MODEL_INVALID", ["rope_parameters"]),
    "positions without end": (
        config(max_position_embeddings=2**62),
        "MODEL_INVALID",
        [CONFIG, f"max_position_embeddings is {2**62}", "at most 2^53 - 1"],
    ),
    "a vocabulary without end": (
        config(vocab_size=2**40),
        "MODEL_INVALID",
        [CONFIG, "parameters, and the weights hold 6,513,472"],
    ),
    "depth without end": (
        config(num_hidden_layers=10**9),
        "MODEL_INVALID",
        [CONFIG, "number of blocks is 1,000,000,000, and the weights hold those of 6"],
    ),
    "depth negative": (config(num_hidden_layers=-1), "MODEL_INVALID", [CONFIG, "number of blocks is -1"]),
    "depth a text": (config(num_hidden_layers="6"), "MODEL_INVALID", [CONFIG, "number of blocks is '6'"]),
    "no heads": (config(num_attention_heads=0), "MODEL_INVALID", ["ZeroDivisionError"]),
    "dtype unknown": (config(dtype="float99"), "MODEL_INVALID", ["float99"]),
    "auto_map a number": (config(auto_map=3), "MODEL_INVALID", ["refuses the configuration"]),
    # the index
    "index to numbers": (index_to(7), "MODEL_INVALID", [INDEX, "model.norm.weight is in 7"]),
    "index out of the folder": (
        index_to("../part.safetensors"),
        "MODEL_INVALID",
        [INDEX, "'../part.safetensors'"],
    ),
    "index to a full path": (index_to("/etc/passwd"), "MODEL_INVALID", [INDEX, "no file outside"]),
    "index to a Windows path": (
        index_to("..\\part.safetensors"),
        "MODEL_INVALID",
        [INDEX, "no file outside"],
    ),
    "index to a drive": (index_to("C:part.safetensors"), "MODEL_INVALID", [INDEX, "no file outside"]),
    "index to what is not there": (
        index_to("other.safetensors"),
        "MODEL_INVALID",
        [INDEX, "lacks other.safetensors"],
    ),
    "index a list": (index([1]), "MODEL_INVALID", [INDEX, "holds a list"]),
    "index of lists": (index({"weight_map": ["a"]}), "MODEL_INVALID", [INDEX, "no weight_map"]),
    "index without metadata": (
        index({"weight_map": {"model.norm.weight": "part.safetensors"}}),
        "MODEL_INVALID",
        ["cannot be loaded", "metadata"],
    ),
    # weights
    "weights cut": (cut(WEIGHTS, 0.5), "MODEL_INVALID", [WEIGHTS, "its header asks for", "it is cut"]),
    "weights cut in their header": (
        cut(WEIGHTS, 1e-5),
        "MODEL_INVALID",
        [WEIGHTS, "it is cut: its header alone"],
    ),
    "weights empty": (raw(WEIGHTS, b""), "MODEL_INVALID", [WEIGHTS, "empty (0 bytes)"]),
    "weights an LFS pointer": (
        text(WEIGHTS, LFS),
        "MODEL_INVALID",
        [WEIGHTS, "Git LFS pointer of 134 bytes"],
    ),
    "weights an HTML page": (text(WEIGHTS, HTML), "MODEL_INVALID", [WEIGHTS, "HTML page"]),
    "weights all zero": (raw(WEIGHTS, bytes(5000)), "MODEL_INVALID", [WEIGHTS]),
    "weights with an absurd header": (
        raw(WEIGHTS, struct.pack("<Q", 2**60) + bytes(100)),
        "MODEL_INVALID",
        [WEIGHTS, "its header would have 1,152,921,504,606,846,976 bytes"],
    ),
    "weights with a deep header": (
        raw(WEIGHTS, struct.pack("<Q", DEEP) + b"[" * DEEP),
        "MODEL_INVALID",
        [WEIGHTS, "cannot be read"],
    ),
    "weights of another file": (
        raw(WEIGHTS, b"PK\x03\x04" * 100),
        "MODEL_INVALID",
        [WEIGHTS, "no safetensors file"],
    ),
    "a pickle with a program": (
        pickled(lambda _: Program()),
        "MODEL_INVALID",
        ["pytorch_model.bin", "It was not run"],
    ),
    "a pickle with a program among tensors": (
        pickled(lambda folder: {**load_file(folder / WEIGHTS), "x": Program()}),
        "MODEL_INVALID",
        ["pytorch_model.bin", "It was not run", "safetensors"],
    ),
    "a bare pickle": (plain_pickle, "MODEL_INVALID", ["pytorch_model.bin", "It was not run"]),
    "a pickle cut": (cut_pickle, "MODEL_INVALID", ["pytorch_model.bin", "bytes are damaged or cut"]),
    "a pickle of no tensors": (pickled(lambda _: [1, 2]), "MODEL_INVALID", ["hold no tensors"]),
    # the tokenizer
    "tokenizer binary": (
        raw("tokenizer.json", b"\x80\x04\xff" * 50),
        "MODEL_INVALID",
        ["tokenizer.json", "not JSON"],
    ),
    "tokenizer empty": (text("tokenizer.json", ""), "MODEL_INVALID", ["tokenizer.json", "empty (0 bytes)"]),
    "tokenizer without a model": (
        text("tokenizer.json", "{}"),
        "MODEL_INVALID",
        ["tokenizer cannot be read"],
    ),
    "tokenizer an LFS pointer": (
        text("tokenizer.json", LFS),
        "MODEL_INVALID",
        ["tokenizer.json", "Git LFS pointer"],
    ),
    "tokenizer cut": (cut("tokenizer.json", 0.5), "MODEL_INVALID", ["tokenizer.json", "not JSON"]),
    "tokenizer nested deep": (text("tokenizer.json", "[" * DEEP), "MODEL_INVALID", ["tokenizer.json"]),
    "tokenizer_config binary": (
        raw("tokenizer_config.json", b"\xff" * 50),
        "MODEL_INVALID",
        ["tokenizer_config.json", "not JSON"],
    ),
    # an adapter's description
    "adapter alone and damaged": (
        lambda folder: (
            (folder / CONFIG).rename(folder / "c"),
            (folder / "adapter_config.json").write_text("{"),
        ),
        "MODEL_INVALID",
        ["adapter_config.json", "not JSON"],
    ),
}


def is_told(failure: DepthkitError, code: str, words: list[str]) -> None:
    assert failure.code == code, failure.message
    for word in words:
        assert word in failure.message
    assert "weights_only" not in failure.message
    assert len(failure.message) < 1500
    json.dumps(failure.details)  # plain data: it crosses the wire


@pytest.mark.parametrize("name", CASES)
def test_a_damaged_checkpoint_is_told_as_what_it_is(
    name: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    monkeypatch.setenv("DEPTHKIT_TEST_RAN", str(ran))
    damage, code, words = CASES[name]
    damage(source)
    is_told(refusal(source, tmp_path), code, words)
    assert not ran.exists()


@pytest.fixture(scope="module")
def whole_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gguf") / "whole.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_array("tokenizer.ggml.tokens", ["a", "b"])
    writer.add_tensor("blk.0.ffn_up.weight", np.ones((8, 32), dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def patched(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(whole: bytes) -> bytes:
        assert old in whole
        return whole.replace(old, new, 1)

    return change


TOKENS = b"tokenizer.ggml.tokens" + struct.pack("<II", 9, 8)
GGUF_CASES: dict[str, tuple[Callable[[bytes], bytes], list[str]]] = {
    "cut in the tensors": (lambda whole: whole[:-100], ["it is cut", "its tensors end at byte"]),
    "cut in the header": (lambda whole: whole[:50], ["cut or damaged", "the file has 50"]),
    "cut behind its name": (lambda whole: whole[:6], ["cut or damaged", "the file has 6"]),
    "absurd tensors": (
        lambda whole: whole[:8] + struct.pack("<Q", 2**60) + whole[16:],
        ["1,152,921,504,606,846,976 tensors"],
    ),
    "absurd keys": (lambda whole: whole[:16] + struct.pack("<Q", 2**60) + whole[24:], ["keys"]),
    "an absurd list": (
        patched(TOKENS + struct.pack("<Q", 2), TOKENS + struct.pack("<Q", 2**60)),
        ["entries of a list"],
    ),
    "lists in lists without end": (
        patched(TOKENS + struct.pack("<Q", 2), b"tokenizer.ggml.tokens" + struct.pack("<IIQ", 9, 9, 2)),
        ["cut or damaged"],
    ),
    "an absurd text": (
        patched(TOKENS + struct.pack("<QQ", 2, 1), TOKENS + struct.pack("<QQ", 2, 2**60)),
        ["should follow byte"],
    ),
    "an absurd depth": (
        patched(
            b"llama.block_count" + struct.pack("<II", 4, 1),
            b"llama.block_count" + struct.pack("<II", 4, 10**9),
        ),
        ["llama.block_count is 1,000,000,000, and it has the tensors of 1 blocks"],
    ),
    "an absurd shape": (
        patched(struct.pack("<IQQ", 2, 32, 8), struct.pack("<IQQ", 2, 2**40, 8)),
        ["it is cut"],
    ),
    "no dtype": (
        patched(struct.pack("<QQI", 32, 8, 0), struct.pack("<QQI", 32, 8, 999)),
        ["a dtype of number 999"],
    ),
    "another version": (lambda whole: whole[:4] + struct.pack("<I", 77) + whole[8:], ["GGUF version 77"]),
    "all of it there, and no model": (lambda whole: whole, ["transformers cannot read the GGUF file"]),
    "an LFS pointer": (lambda _: LFS.encode(), ["Git LFS pointer"]),
    "an HTML page": (lambda _: HTML.encode(), ["HTML page"]),
    "empty": (lambda _: b"", ["empty (0 bytes)"]),
    "something else": (lambda _: b"PK\x03\x04" * 9, ["do not begin as a GGUF file does"]),
}


@pytest.mark.parametrize("name", GGUF_CASES)
def test_a_damaged_gguf_is_told_as_what_it_is(name: str, whole_gguf: Path, tmp_path: Path) -> None:
    change, words = GGUF_CASES[name]
    path = tmp_path / "model.gguf"
    path.write_bytes(change(whole_gguf.read_bytes()))
    is_told(refusal(path, tmp_path / "cache"), "MODEL_INVALID", [str(path), *words])
    assert not list((tmp_path / "cache").rglob("gguf-*")), "something was left behind"


def without(*keys: str | int) -> Callable[[Any], Any]:
    """Takes one entry out."""

    def change(content: Any) -> Any:
        inner = content
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]
        return content

    return change


def having(value: object, *keys: str | int) -> Callable[[Any], Any]:
    def change(content: Any) -> Any:
        inner = content
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        return content

    return change


REPAIR_CASES: dict[str, Callable[[Any], Any]] = {
    "no model": without("model"),
    "no digest of the model": without("model", "weightsDigest"),
    "no removed units": without("removed"),
    "no repairs": without("repairs"),
    "repairs a number": having(7, "repairs"),
    "no edits": without("repairs", 0, "edits"),
    "no method": without("repairs", 0, "method"),
    "an edit without a block": without("repairs", 0, "edits", 0, "block"),
    "an edit without a kind": without("repairs", 0, "edits", 0, "kind"),
    "an edit of no block": having(99, "repairs", 0, "edits", 0, "block"),
    "an edit of a text": having("2", "repairs", 0, "edits", 0, "block"),
    "an edit in no place": having("above", "repairs", 0, "edits", 0, "place"),
    "a change of no weight": having(
        [{"block": 2, "place": "weights", "name": "no.weight", "kind": "sum", "scale": 1.0}],
        "repairs",
        0,
        "edits",
    ),
    "a unit of no kind": having(["blok.2"], "removed"),
    "a unit beyond the depth": having(["block.2", "block.99"], "removed"),
    "its unit not removed": having([], "removed"),
    "another digest": having("0" * 64, "repairs", 0, "digest"),
}


@pytest.mark.parametrize("name", REPAIR_CASES)
def test_a_damaged_repair_is_told_as_one(name: str, tmp_path: Path) -> None:
    decoder, folder = _saved_repair(tmp_path)
    path = folder / "repair.json"
    path.write_text(json.dumps(REPAIR_CASES[name](json.loads(path.read_text()))))
    is_told(_repair_refusal(decoder, folder), "MODEL_INVALID", [str(folder), "Make it again"])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("repair.json", b"", "empty (0 bytes)"),
        ("repair.json", b"[" * DEEP, "nested too deep"),
        ("repair.json", b"\xff\xfe", "not JSON"),
        ("repair.safetensors", LFS.encode(), "Git LFS pointer"),
        ("repair.safetensors", b"", "empty (0 bytes)"),
        ("repair.safetensors", None, "repair.safetensors"),
    ],
)
def test_damaged_files_of_a_repair_are_told(
    name: str, content: bytes | None, said: str, tmp_path: Path
) -> None:
    decoder, folder = _saved_repair(tmp_path)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    is_told(_repair_refusal(decoder, folder), "MODEL_INVALID", [str(folder), said])


def _saved_repair(tmp_path: Path) -> tuple[Decoder, Path]:
    decoder, folder = Decoder(tiny_model("llama")), tmp_path / "repair"
    base = base_of(decoder, "block.2")
    repairs, _ = fit_repairs(base, EmulatedUpdateOptions(), lambda _point: None, Unattended())
    save_repairs(base.subnetwork.repaired(*repairs), folder, RepairSaveOptions(), Unattended())
    load_repairs(decoder, folder)
    return decoder, folder


def _repair_refusal(decoder: Decoder, folder: Path) -> DepthkitError:
    with pytest.raises(DepthkitError) as failure:
        load_repairs(decoder, folder)
    return failure.value


@pytest.mark.parametrize("line", [b" " * (1 << 20), b'{"text": "a"}\n' * 80_000])
def test_a_gzip_that_unpacks_without_end_is_bounded(
    line: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "ALWAYS_READ", 1 << 22)
    path = tmp_path / "bomb.jsonl.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(24):
            file.write(line)
    with pytest.raises(DepthkitError) as failure:
        read_records(path, Unattended(), text_field="text", strict=True)
    is_told(failure.value, "UNSUPPORTED_FORMAT", [str(path), "unpack to more than", "100 times as many"])


def test_a_gzip_that_packs_well_is_read(tmp_path: Path) -> None:
    path = tmp_path / "same.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "a"}\n' * 100_000))
    assert len(read_records(path, Unattended(), text_field="text", strict=True)[0]) == 100_000


def test_the_checkpoint_that_all_this_is_done_to_is_whole(source: Path, tmp_path: Path) -> None:
    """Else every case would pass for another reason."""
    assert config_of(source)["num_hidden_layers"] == 6
    (source / "no-such-thing").write_text("")
    change_config(source, model_type="nope")
    assert "'nope'" in refusal(source, tmp_path).message
