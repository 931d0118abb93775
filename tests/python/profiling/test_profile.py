"""What a profile counts must be exact; what it times must only be honest about how."""

from __future__ import annotations

import pytest
import torch
from msgspec import structs
from torch import nn

from depthkit_worker.contract.wire import ProfileOptions, ProfilingProfileResult
from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.peaks import peak_beside
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stepper import Stepper, pad_left
from depthkit_worker.models.units import Unit
from depthkit_worker.profiling.profile import Lengths, lengths_of, profile
from depthkit_worker.profiling.spread import spread_of
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import FAMILY_MODELS, tiny_model, token_ids

QUICK = ProfileOptions(prompt_tokens=24, context_tokens=8, new_tokens=3, batch_sizes=(1, 4), rounds=2)
CPU = torch.device("cpu")


def of(decoder: Decoder, units: tuple[Unit, ...], options: ProfileOptions = QUICK) -> ProfilingProfileResult:
    return profile(Subnetwork(decoder, units), options, Unattended())


def test_masked_keeps_the_weights_and_physical_does_not() -> None:
    decoder = Decoder(tiny_model("llama"))
    dense, masked, physical = of(decoder, (Unit("block", 1), Unit("feed-forward", 4))).models
    gone = [decoder.blocks[1], decoder.blocks[4].get_submodule("mlp")]
    lost = sum(one.numel() for module in gone for one in module.parameters())
    assert dense.parameters == masked.parameters == decoder.parameters
    assert physical.parameters == decoder.parameters - lost
    assert dense.weight_bytes - physical.weight_bytes == 4 * lost
    assert (dense.blocks, masked.blocks, physical.blocks) == (6, 6, 5)


def test_stored_bytes_are_in_the_checkpoints_dtype() -> None:
    decoder = Decoder(tiny_model("llama"))
    decoder.source = decoder.source.__class__("x", None, None, "0" * 64, "bfloat16")
    size = of(decoder, ()).models[0]
    assert size.stored_bytes * 2 == size.parameters * 4


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_removed_attentions_take_their_share_of_the_cache_away(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    units = tuple(Unit("attention", index) for index in (0, 2, 3))
    with removed(Subnetwork(decoder, units)):
        stepper = Stepper(decoder)
        stepper.begin(pad_left(token_ids(2, 10).tolist()))
        stepper.step(torch.tensor([5, 6]))
    whole = Stepper(decoder)
    whole.begin(pad_left(token_ids(2, 11).tolist()))
    assert len(list(stepper.cache)) == 3
    held, whole_held = (
        sum(keys.nbytes + values.nbytes for keys, values, _ in one.cache) for one in (stepper, whole)
    )
    assert held * 2 == whole_held


def test_the_profile_says_the_cache_that_was_counted() -> None:
    decoder = Decoder(tiny_model("llama"))
    units = (Unit("attention", 0), Unit("block", 3), Unit("feed-forward", 4))
    sizes = [model.kv_bytes_per_token for model in of(decoder, units).models]
    # 2 KV heads of 8 numbers, keys and values, 4 bytes each, in 6 and in 4 blocks.
    assert sizes == [6 * 128, 4 * 128, 4 * 128]


def test_each_model_is_timed_in_every_round_and_compared_with_its_own() -> None:
    result = of(Decoder(tiny_model("llama")), (Unit("block", 2),))
    assert [model.mode for model in result.models] == ["dense", "masked", "physical"]
    for model in result.models:
        assert [speed.batch_size for speed in (model.prefill, *model.decode)] == [1, 1, 4]
        for speed in (model.prefill, *model.decode):
            assert len(speed.tokens_per_second.samples) == 2
            assert speed.tokens_per_second.min > 0
    dense, masked, _ = result.models
    assert set(dense.prefill.against_dense.samples) == {1.0}
    expected = [
        own / reference
        for own, reference in zip(
            masked.prefill.tokens_per_second.samples, dense.prefill.tokens_per_second.samples, strict=True
        )
    ]
    assert masked.prefill.against_dense.samples == pytest.approx(expected)


def test_no_attention_left_can_be_profiled_and_holds_no_cache() -> None:
    decoder = Decoder(tiny_model("llama"))
    result = of(decoder, tuple(Unit("block", index) for index in range(6)))
    assert [model.kv_bytes_per_token for model in result.models] == [768, 0, 0]
    assert result.models[2].blocks == 0


@pytest.mark.parametrize(
    ("context_length", "prompt", "context"), [(8192, 512, 128), (200, 200, 100), (1, 1, 1)]
)
def test_lengths_that_nobody_names_are_what_the_model_takes(
    context_length: int, prompt: int, context: int
) -> None:
    decoder = Decoder(tiny_model("llama"))
    decoder.config.max_position_embeddings = context_length
    options = ProfileOptions()
    assert lengths_of(decoder, options) == Lengths(prompt, context, 32)
    assert lengths_of(decoder, structs.replace(options, prompt_tokens=3, context_tokens=4)) == Lengths(
        3, 4, 32
    )


def test_a_cancel_in_the_middle_leaves_the_model_whole() -> None:
    class Soon(Unattended):
        checks = 0

        def check(self) -> None:
            self.checks += 1
            if self.checks > 60:
                raise cancelled()

    decoder = Decoder(tiny_model("llama"))
    modules = list(decoder.model.named_modules())
    with pytest.raises(DepthkitError, match="cancelled"):
        profile(Subnetwork(decoder, (Unit("block", 1),)), QUICK, Soon())
    assert list(decoder.model.named_modules()) == modules
    assert not any(module._forward_pre_hooks for module in decoder.model.modules())


@pytest.mark.parametrize(
    "options",
    [
        ProfileOptions(prompt_tokens=300),
        ProfileOptions(prompt_tokens=8, context_tokens=250, new_tokens=10),
        ProfileOptions(batch_sizes=(1, 1)),
        ProfileOptions(modes=("masked", "masked")),
    ],
)
def test_what_cannot_be_profiled_is_refused_first(options: ProfileOptions) -> None:
    with pytest.raises(DepthkitError) as failure:
        of(Decoder(tiny_model("llama")), (), options)
    assert failure.value.code == "INVALID_ARGUMENT"


def test_peak_memory_is_the_most_alive_at_one_time() -> None:
    weight = torch.zeros(1000)
    with peak_beside([CPU], [weight]) as peak:
        first = torch.ones(100)  # 400 bytes
        second = torch.ones(200)  # and 800
        del first
        third = torch.ones(50)  # below the 1200 from before
        _ = (weight.view(10, 100), second[:3], third)
        del second, third
    assert peak.bytes == 1200


def test_a_spread_names_its_quartiles() -> None:
    spread = spread_of([4.0, 1.0, 2.0, 3.0, 5.0])
    assert (spread.min, spread.lower_quartile, spread.median, spread.upper_quartile, spread.max) == (
        1,
        2,
        3,
        4,
        5,
    )
    assert spread.samples == (4.0, 1.0, 2.0, 3.0, 5.0)


def test_repairs_are_part_of_what_is_profiled() -> None:
    decoder = Decoder(tiny_model("llama"))
    update = nn.Linear(32, 32, bias=False)
    update.requires_grad_(False)
    edits = {
        1: BlockEdit(beside=update),
        2: BlockEdit(weights={"mlp.down_proj.weight": lambda weight: weight * 2}),
    }
    repair = Repair("low-rank", (Unit("block", 1),), edits, "0" * 64)
    lost = sum(one.numel() for one in decoder.blocks[1].parameters())
    result = profile(Subnetwork(decoder, (Unit("block", 1),), (repair,)), QUICK, Unattended())
    dense, masked, physical = (model.parameters for model in result.models)
    assert dense == decoder.parameters
    # A changed weight stands in the old one's place.
    assert masked == decoder.parameters + 32 * 32
    assert physical == decoder.parameters - lost + 32 * 32
