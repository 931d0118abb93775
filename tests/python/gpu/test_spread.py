"""A model over two real devices, a GPU and the processor or two GPUs, against the model on the processor."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import ModelOptions
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import load_model
from depthkit_worker.session.job import Unattended
from spread_works import FIRST, WORKS, compare
from tiny import DEPTH, tiny_model, token_ids

DEVICE = torch.device(os.environ.get("DEPTHKIT_GPU", "cuda:0"))
OTHER = torch.device("cuda:1" if torch.cuda.device_count() > 1 else "cpu")


def spread(name: str, words: PreTrainedTokenizerBase) -> Decoder:
    decoder = Decoder(tiny_model(name))
    nn.Module.to(decoder.model, DEVICE)
    for block in decoder.blocks[FIRST:]:
        block.to(OTHER)
    return Decoder(decoder.model, words)


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("name", ["llama", "llama-tied", "gpt_neox-parallel", "gpt2"])
def test_all_work_is_the_same(name: str, work: str, words: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    one = WORKS[work](Decoder(tiny_model(name), words), tmp_path / "one")
    decoder = spread(name, words)
    assert DEVICE == OTHER or len(decoder.devices) == 2
    compare(work, one, WORKS[work](decoder, tmp_path / "other"))


@torch.no_grad()
def test_loading_over_both(words: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    plain = Decoder(tiny_model("llama"), words)
    plain.model.save_pretrained(tmp_path / "model")
    words.save_pretrained(tmp_path / "model")
    asked = f"{DEVICE}={FIRST},{OTHER}={DEPTH - FIRST}" if DEVICE != OTHER else f"{DEVICE}={DEPTH}"
    options = ModelOptions(dtype="float32", device_map=asked)
    decoder = load_model(str(tmp_path / "model"), tmp_path, options, Unattended())
    assert decoder.placement in (asked, str(DEVICE))
    for index, block in enumerate(decoder.blocks):
        where = {tensor.device for tensor in (*block.parameters(), *block.buffers())}
        assert where == {DEVICE if index < FIRST else OTHER}
    ids = token_ids(2, 9)
    found = decoder.model(input_ids=ids.to(decoder.device)).logits
    assert found.device == DEVICE
    torch.testing.assert_close(found.cpu(), plain.model(input_ids=ids).logits, rtol=1e-4, atol=1e-4)
