"""A model over two devices does all that it does on one. Where tensors of both meet, `TwoDevices` refuses."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.families import family_of
from spread_works import FIRST, WORKS, compare
from tiny import DEPTH, FAMILY_MODELS, tiny_model, token_ids
from two_devices import FIRST as FIRST_DEVICE
from two_devices import SECOND, TwoDevices, spread


def spread_decoder(mode: TwoDevices, name: str, tokenizer: PreTrainedTokenizerBase | None = None) -> Decoder:
    model = tiny_model(name)
    spread(mode, model, model.get_submodule(family_of(model.config).blocks), FIRST)  # type: ignore[arg-type]
    return Decoder(model, tokenizer)


@pytest.mark.parametrize("name", FAMILY_MODELS)
@torch.no_grad()
def test_the_models_own_logits_and_their_replay(name: str) -> None:
    ids = token_ids(2, 9)
    expected = tiny_model(name)(input_ids=ids).logits
    with TwoDevices() as mode:
        decoder = spread_decoder(mode, name)
        assert decoder.placement == f"cpu:1={FIRST},cpu:2={DEPTH - FIRST}"
        ids = cast("torch.LongTensor", ids.to(decoder.device))
        replay = decoder.begin(ids)
        final = decoder.stream(replay, decoder.depth)
        assert final.device == SECOND and replay.hidden.device == FIRST_DEVICE
        found = [decoder.model(input_ids=ids).logits, decoder.logits(final, replay)]
        assert all(one.device == FIRST_DEVICE for one in found)
        assert mode.moves > 0
    assert all(torch.equal(one, expected) for one in found)


@pytest.mark.parametrize("work", WORKS)
@pytest.mark.parametrize("name", ["llama", "gpt_neox-parallel", "gpt2"])
def test_all_work_is_the_same(name: str, work: str, words: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    one = WORKS[work](Decoder(tiny_model(name), words), tmp_path / "one")
    with TwoDevices() as mode:
        other = WORKS[work](spread_decoder(mode, name, words), tmp_path / "other")
        assert mode.moves > 0
    compare(work, one, other)


def test_tensors_of_two_devices_do_not_mix() -> None:
    with TwoDevices() as mode:
        one, other = torch.ones(3, device=FIRST_DEVICE), torch.ones(3).to(SECOND)
        with pytest.raises(RuntimeError, match="add of tensors on cpu:1, cpu:2"):
            one + other
        assert mode.moves == 0
        assert torch.equal((one + other.to(one.device)).cpu(), torch.full((3,), 2.0))
        assert mode.moves == 1
