"""Replay against the model's own forward, bit for bit, in every family."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers import BloomConfig, MambaConfig, OPTConfig

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.families import FAMILIES, family_of
from depthkit_worker.models.split import BlockStates
from depthkit_worker.models.units import Unit
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import DEPTH, FAMILY_MODELS, t_neox, tiny_model, token_ids


def replay(decoder: Decoder, input_ids: torch.LongTensor) -> Tensor:
    run = decoder.begin(input_ids)
    hidden = run.hidden
    for index in range(decoder.depth):
        hidden = decoder.run_block(index, hidden, run)
    return decoder.logits(hidden, run)


def split(decoder: Decoder, index: int) -> BlockStates:
    """The states of block `index` in a replay of the whole model."""
    run = decoder.begin(token_ids(2, 9))
    hidden = run.hidden
    for below in range(index):
        hidden = decoder.run_block(below, hidden, run)
    return decoder.run_block_split(index, hidden, run)


def hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def test_every_family_has_a_tiny_model() -> None:
    assert {FAMILY_MODELS[name]().model_type for name in FAMILY_MODELS} == set(FAMILIES)


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_replay_gives_the_models_own_logits(name: str) -> None:
    model = tiny_model(name)
    decoder = Decoder(model)
    # Longer than the sliding windows of the models that have one.
    ids = token_ids(2, 11)
    expected = model(input_ids=ids, use_cache=False).logits
    assert decoder.depth == DEPTH
    assert torch.equal(replay(decoder, ids), expected)
    assert torch.equal(model(input_ids=ids, use_cache=False).logits, expected)
    assert type(model).__name__ == decoder.family.architecture
    assert isinstance(model.get_submodule(decoder.family.final_norm), nn.Module)


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_split_states_are_those_of_the_model_without_the_other_unit(name: str) -> None:
    """x_l + a_l is what the block gives once its feed-forward is gone, and in parallel wiring
    x_l + f_l what it gives once its attention is."""
    decoder = Decoder(tiny_model(name))
    states = split(decoder, 2)
    run = decoder.begin(token_ids(2, 9))
    assert torch.equal(decoder.run_block(2, states.x_in, run), states.x_out)
    with removed(Subnetwork(decoder, (Unit("feed-forward", 2),))):
        without_feed_forward = decoder.run_block(2, states.x_in, run)
    with removed(Subnetwork(decoder, (Unit("attention", 2),))):
        without_attention = decoder.run_block(2, states.x_in, run)
        unmoved = decoder.run_block_split(2, states.x_in, run).attention_out
    assert torch.allclose(states.attention_out, without_feed_forward, atol=1e-6)
    assert torch.equal(unmoved, states.x_in)
    if decoder.parallel:
        assert states.feed_forward_in is states.x_in
        assert torch.allclose(states.feed_forward_out, without_attention, atol=1e-6)
        update = (states.attention_out - states.x_in) + (states.feed_forward_out - states.x_in)
        assert torch.allclose(states.x_in + update, states.x_out, atol=1e-5)
    else:
        assert states.feed_forward_in is states.attention_out
        assert states.feed_forward_out is states.x_out


def test_splitting_leaves_no_hook_behind_also_after_a_failure() -> None:
    decoder = Decoder(tiny_model("gpt_neox-parallel"))
    before = hooks(decoder.model)
    split(decoder, 1)
    run = decoder.begin(token_ids(1, 4))
    with pytest.raises(RuntimeError):
        decoder.run_block_split(1, torch.zeros(1, 4, 7), run)
    assert hooks(decoder.model) == before


def test_the_model_is_whole_again_after_a_failure_around_its_blocks() -> None:
    decoder = Decoder(tiny_model("llama"))
    blocks = decoder.blocks
    with pytest.raises(IndexError):
        decoder.begin(torch.full((1, 3), 10_000))  # type: ignore[arg-type]
    run = decoder.begin(token_ids(1, 3))
    with pytest.raises(RuntimeError):
        decoder.logits(torch.zeros(1, 3, 7), run)
    assert decoder.blocks is blocks


def test_logits_of_the_first_positions_alone() -> None:
    decoder = Decoder(tiny_model("gemma3_text"))
    run = decoder.begin(token_ids(2, 8))
    whole = decoder.logits(run.hidden, run)
    assert torch.allclose(decoder.logits(run.hidden[:, :3], run), whole[:, :3], atol=1e-6)


@pytest.mark.parametrize("parallel", [True, False])
def test_met5_the_wiring_is_the_configurations(parallel: bool) -> None:
    decoder = Decoder(t_neox(parallel))
    states = split(decoder, 1)
    assert decoder.parallel is parallel
    expected = states.x_in if parallel else states.attention_out
    assert torch.equal(states.feed_forward_in, expected)
    ids = token_ids(2, 9)
    with removed(Subnetwork(decoder, (Unit("attention", 1), Unit("feed-forward", 1)))):
        sublayers = decoder.model(input_ids=ids, use_cache=False).logits
    with removed(Subnetwork(decoder, (Unit("block", 1),))):
        block = decoder.model(input_ids=ids, use_cache=False).logits
    assert torch.equal(sublayers, block)


def test_an_unknown_architecture_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DepthkitError, match="'mamba'") as failure:
        family_of(MambaConfig())
    assert failure.value.code == "MODEL_UNSUPPORTED"
    assert failure.value.details["known"] == sorted(FAMILIES)


@pytest.mark.parametrize(
    "config",
    [OPTConfig(do_layer_norm_before=False), BloomConfig(apply_residual_connection_post_layernorm=True)],
)
def test_a_wiring_outside_the_family_is_refused(config: OPTConfig | BloomConfig) -> None:
    with pytest.raises(DepthkitError) as failure:
        family_of(config)
    assert failure.value.code == "MODEL_UNSUPPORTED"
