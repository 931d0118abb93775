"""A gated model against one whose modules were taken out or zeroed by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers import DynamicCache

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.kv_cache import cache_keyword
from depthkit_worker.models.units import Unit
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import FAMILY_MODELS, tiny_model, token_ids

IDS = token_ids(2, 11)

# The last projection of each sublayer, in the words of the modelling files.
ATTENTION_OUTPUTS = (
    "self_attn.o_proj",
    "self_attn.dense",
    "attn.c_proj",
    "attention.dense",
    "self_attention.dense",
    "attn.out_proj",
)
FEED_FORWARD_OUTPUTS = (
    "mlp.down_proj",
    "mlp.c_proj",
    "mlp.dense_4h_to_h",
    "fc2",
    "mlp.fc_out",
    "mlp.fc2",
    "ffn.down_proj",
)
EXPERT_OUTPUTS = (
    "mlp.experts.down",
    "mlp.shared_expert.down",
    "mlp.shared_experts.down",
    "block_sparse_moe.experts.down",
)


def logits(decoder: Decoder) -> Tensor:
    output = decoder.model(input_ids=IDS, use_cache=False).logits
    assert isinstance(output, Tensor)
    return output


def replayed(decoder: Decoder) -> Tensor:
    run = decoder.begin(IDS)
    hidden = run.hidden
    for index in range(decoder.depth):
        hidden = decoder.run_block(index, hidden, run)
    return decoder.logits(hidden, run)


def zero_outputs(block: nn.Module, projections: tuple[str, ...]) -> None:
    """Make a sublayer's update zero by zeroing what it ends with."""
    found = [
        parameter
        for name, parameter in block.named_parameters()
        if any(name.startswith((f"{projection}.", "self_attn.out_proj.")) for projection in projections)
        or (projections is FEED_FORWARD_OUTPUTS and name.startswith(EXPERT_OUTPUTS))
    ]
    if projections is FEED_FORWARD_OUTPUTS:
        found = [parameter for parameter in found if parameter not in set(block_attention(block))]
    assert found
    for parameter in found:
        parameter.zero_()


def block_attention(block: nn.Module) -> list[nn.Parameter]:
    return [
        parameter for name, parameter in block.named_parameters() if "attn" in name or "attention." in name
    ]


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_gated_sublayers_equal_zeroed_ones(name: str) -> None:
    gated, zeroed = Decoder(tiny_model(name)), Decoder(tiny_model(name))
    zero_outputs(zeroed.blocks[1], ATTENTION_OUTPUTS)
    zero_outputs(zeroed.blocks[4], FEED_FORWARD_OUTPUTS)
    with removed(Subnetwork(gated, (Unit("attention", 1), Unit("feed-forward", 4)))):
        assert torch.equal(logits(gated), logits(zeroed))
        assert torch.equal(replayed(gated), logits(zeroed))


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_a_gated_block_equals_a_deleted_one(name: str) -> None:
    """The block is taken out of the list; where blocks are looked up by position, the configuration's
    lists are cut by hand."""
    gated, cut = Decoder(tiny_model(name)), Decoder(tiny_model(name))
    del cut.blocks[2]
    for key in ("layer_types", "no_rope_layers"):
        entries = getattr(cut.config, key, None)
        if isinstance(entries, list):
            del entries[2]
    cut.config.num_hidden_layers = cut.depth - 1
    with removed(Subnetwork(gated, (Unit("block", 2),))):
        assert torch.equal(logits(gated), logits(cut))
        assert torch.equal(replayed(gated), logits(cut))
    with removed(Subnetwork(gated, (Unit("attention", 2), Unit("feed-forward", 2)))):
        assert torch.equal(logits(gated), logits(cut))


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_nothing_removed_changes_nothing_and_leaving_restores(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    expected, modules = logits(decoder), list(decoder.model.named_modules())
    numbers = layer_numbers(decoder)
    with removed(Subnetwork.dense(decoder)):
        assert torch.equal(logits(decoder), expected)
    with (
        pytest.raises(ZeroDivisionError),
        removed(Subnetwork(decoder, (Unit("attention", 0), Unit("block", 3)))),
    ):
        assert not torch.equal(logits(decoder), expected)
        raise ZeroDivisionError
    assert list(decoder.model.named_modules()) == modules
    assert layer_numbers(decoder) == numbers
    assert torch.equal(logits(decoder), expected)


def layer_numbers(decoder: Decoder) -> list[int | None]:
    return [getattr(module, "layer_idx", None) for module in decoder.model.modules()]


def test_a_removed_block_computes_nothing() -> None:
    decoder = Decoder(tiny_model("llama"))
    calls: list[int] = []
    for index, block in enumerate(decoder.blocks):
        block.register_forward_hook(lambda *_, index=index: calls.append(index))
    with removed(Subnetwork(decoder, (Unit("block", 2), Unit("block", 5)))):
        logits(decoder)
    assert calls == [0, 1, 3, 4]


def test_contexts_nest() -> None:
    decoder = Decoder(tiny_model("gpt2"))
    whole = logits(decoder)
    with removed(Subnetwork(decoder, (Unit("block", 1), Unit("attention", 3), Unit("attention", 4)))):
        expected = logits(decoder)
    with removed(Subnetwork(decoder, (Unit("block", 1), Unit("attention", 3)))):
        outer = logits(decoder)
        with removed(Subnetwork(decoder, (Unit("attention", 1), Unit("attention", 4)))):
            assert torch.equal(logits(decoder), expected)
        assert torch.equal(logits(decoder), outer)
    assert torch.equal(logits(decoder), whole)


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_kept_attentions_fill_the_cache_from_its_first_entry(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    cache = DynamicCache()
    with removed(Subnetwork(decoder, (Unit("attention", 0), Unit("block", 2), Unit("feed-forward", 4)))):
        decoder.model(input_ids=IDS, use_cache=True, **{cache_keyword(decoder.model): cache})
    assert len(cache.layers) == decoder.depth - 2
    assert all(cache.get_seq_length(index) == IDS.shape[1] for index in range(len(cache.layers)))
