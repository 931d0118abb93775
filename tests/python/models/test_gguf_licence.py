"""What a GGUF says of its licence arrives with the converted model, and with what is made from it."""

from __future__ import annotations

import json
from pathlib import Path

import gguf
import numpy as np
from huggingface_hub.repocard import metadata_load

from depthkit_worker.contract.wire import ExportOptions, ModelOptions
from depthkit_worker.data.token_bytes import BYTE_OF
from depthkit_worker.export.huggingface import export_huggingface
from depthkit_worker.models.gguf_header import gguf_licence
from depthkit_worker.models.load import load_model
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork

HIDDEN, WIDTH, DEPTH = 32, 64, 2


def tiny_gguf(path: Path, **licence: str) -> Path:
    """A Llama of two blocks with a byte-level tokeniser."""
    random = np.random.default_rng(0)
    tokens = [*BYTE_OF, "ab", "<|end|>"]
    writer = gguf.GGUFWriter(path, "llama")
    for key, value in licence.items():
        writer.add_string(f"general.{key.replace('_', '.')}", value)
    writer.add_context_length(64)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(DEPTH)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(2)
    writer.add_rope_dimension_count(HIDDEN // 2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * (len(tokens) - 1) + [3])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(len(tokens) - 1)
    writer.add_eos_token_id(len(tokens) - 1)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, random.standard_normal(shape).astype(np.float32) / 8)

    add("token_embd.weight", len(tokens), HIDDEN)
    add("output.weight", len(tokens), HIDDEN)
    add("output_norm.weight", HIDDEN)
    for block in range(DEPTH):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{block}.{name}.weight", HIDDEN, HIDDEN)
        add(f"blk.{block}.ffn_gate.weight", WIDTH, HIDDEN)
        add(f"blk.{block}.ffn_up.weight", WIDTH, HIDDEN)
        add(f"blk.{block}.ffn_down.weight", HIDDEN, WIDTH)
        add(f"blk.{block}.attn_norm.weight", HIDDEN)
        add(f"blk.{block}.ffn_norm.weight", HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_the_licence_of_a_gguf_is_that_of_its_exports(tmp_path: Path) -> None:
    licence = {"license": "other", "license_name": "own-terms", "license_link": "https://example.org/terms"}
    path = tiny_gguf(tmp_path / "model.gguf", **licence)
    decoder = load_model(str(path), tmp_path / "cache", ModelOptions(device="cpu"), Unattended())
    export_huggingface(
        Subnetwork(decoder, (Unit("block", 1),)), tmp_path / "o", ExportOptions(), Unattended()
    )
    front = metadata_load(tmp_path / "o" / "README.md")
    assert front is not None and {name: front[name] for name in licence} == licence
    source = json.loads((tmp_path / "o" / "depthkit.json").read_text())["source"]
    assert (source["name"], source["license"]) == ("model.gguf", "other")


def test_a_gguf_that_says_nothing_of_it_has_none(tmp_path: Path) -> None:
    assert gguf_licence(tiny_gguf(tmp_path / "model.gguf")) == {}
    assert gguf_licence(tiny_gguf(tmp_path / "other.gguf", license="mit", license_link=" ")) == {
        "license": "mit"
    }
