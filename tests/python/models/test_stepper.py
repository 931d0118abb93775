"""Batches of padded texts with a cache against each text by itself, computed anew, in every family."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.kv_cache import cache_keyword
from depthkit_worker.models.stepper import Stepper, pad_left
from depthkit_worker.models.units import Unit
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import FAMILY_MODELS, tiny_model, token_ids

REMOVALS: dict[str, tuple[Unit, ...]] = {
    "nothing": (),
    "block-0-attention": (Unit("attention", 0),),
    "mixed": (Unit("block", 0), Unit("attention", 2), Unit("feed-forward", 3)),
    "every-attention": tuple(Unit("attention", index) for index in range(6)),
}
ROWS = [token_ids(1, length, seed=length)[0].tolist() for length in (3, 11, 7)]
WRITTEN = [5, 33, 80, 12, 61, 9]


def stepped(decoder: Decoder, rows: list[list[int]]) -> Tensor:
    """(rows, steps + 1, vocabulary)."""
    stepper = Stepper(decoder)
    logits = [stepper.begin(pad_left(rows))]
    logits += [stepper.step(torch.full((len(rows),), token)) for token in WRITTEN]
    return torch.stack(logits, 1)


@pytest.mark.parametrize("removal", REMOVALS)
@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_padding_and_cache_change_nothing(name: str, removal: str) -> None:
    decoder = Decoder(tiny_model(name))
    with removed(Subnetwork(decoder, REMOVALS[removal])):
        together = stepped(decoder, ROWS)
        for row, logits in zip(ROWS, together, strict=True):
            anew = decoder.model(input_ids=torch.tensor([row + WRITTEN]), use_cache=False).logits[
                0, len(row) - 1 :
            ]
            torch.testing.assert_close(logits, anew, atol=3e-5, rtol=0)


@pytest.mark.parametrize("name", ["llama", "bloom", "opt"])
def test_rows_that_are_dropped_leave_the_others_as_they_are(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    expected = stepped(decoder, ROWS)
    stepper = Stepper(decoder)
    stepper.begin(pad_left(ROWS))
    stepper.step(torch.full((3,), WRITTEN[0]))
    stepper.keep(torch.tensor([0, 2]))
    logits = stepper.step(torch.full((2,), WRITTEN[1]))
    torch.testing.assert_close(logits, expected[[0, 2], 2], atol=1e-5, rtol=0)


class Newer(nn.Module):
    def forward(self, cache: object = None, **_: object) -> None: ...


class Older(nn.Module):
    def forward(self, past_key_values: object = None, **_: object) -> None: ...


class Other(nn.Module):
    def forward(self, memory: object = None, **_: object) -> None: ...


def test_the_cache_is_given_under_the_name_it_has() -> None:
    assert cache_keyword(Newer()) == "cache"
    assert cache_keyword(Older()) == "past_key_values"
    with pytest.raises(DepthkitError, match="Other takes no cache of keys and values"):
        cache_keyword(Other())
