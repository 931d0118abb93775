"""SEL3: the model without the modules answers like the model with units gated, and is smaller."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.physical import own_tensors, physical, update_modules
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import DEPTH, FAMILY_MODELS, tiny_model, token_ids

UNITS = (Unit("block", 1), Unit("attention", 3), Unit("feed-forward", 4))


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_sel3_masked_and_physical_give_the_same_logits(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    ids = token_ids(2, 12)
    with removed(Subnetwork(decoder, UNITS)):
        masked = decoder.model(input_ids=ids).logits
    modules, depth = list(decoder.model.named_modules()), decoder.config.num_hidden_layers
    with physical(Subnetwork(decoder, UNITS)):
        assert len(decoder.blocks) == decoder.config.num_hidden_layers == DEPTH - 1
        assert torch.equal(decoder.model(input_ids=ids).logits, masked)
    assert list(decoder.model.named_modules()) == modules
    assert decoder.config.num_hidden_layers == depth


def test_the_weights_of_removed_units_are_not_the_models() -> None:
    decoder = Decoder(tiny_model("llama"))
    block = decoder.blocks[1]
    gone = [block, decoder.blocks[3].get_submodule("self_attn"), decoder.blocks[4].get_submodule("mlp")]
    removed_count = sum(parameter.numel() for module in gone for parameter in module.parameters())
    with physical(Subnetwork(decoder, UNITS)):
        there = own_tensors([decoder.model])
    assert (
        sum(one.numel() for one in there if isinstance(one, nn.Parameter))
        == decoder.parameters - removed_count
    )


def test_an_update_in_a_removed_blocks_place_stays_and_is_counted() -> None:
    decoder = Decoder(tiny_model("llama"))
    update = nn.Linear(32, 32, bias=False)
    update.requires_grad_(False)
    repair = Repair("low-rank", (Unit("block", 1),), {1: BlockEdit(beside=update)}, "0" * 64)
    ids = token_ids(1, 9)
    repaired = Subnetwork(decoder, (Unit("block", 1),), (repair,))
    with removed(repaired):
        masked = decoder.model(input_ids=ids).logits
    with physical(repaired):
        assert torch.equal(decoder.model(input_ids=ids).logits, masked)
        assert len(decoder.blocks) == DEPTH
        tensors = own_tensors([decoder.model, *update_modules(repaired)])
        assert any(one is update.weight for one in tensors)
