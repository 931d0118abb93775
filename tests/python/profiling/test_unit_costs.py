"""What a unit costs is what the model without it has less."""

from __future__ import annotations

import pytest
from msgspec import structs

from depthkit_worker.contract.wire import ProfileOptions
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.profiling.profile import profile
from depthkit_worker.profiling.unit_costs import unit_costs
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import FAMILY_MODELS, tiny_model

QUICK = ProfileOptions(
    modes=("physical",),
    prompt_tokens=4,
    context_tokens=4,
    new_tokens=1,
    batch_sizes=(1,),
    rounds=1,
    warmup_rounds=0,
)


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_costs_are_what_a_profile_counts_less(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    costs = unit_costs(decoder, Unattended())
    for kind, of_kind in zip(UNIT_KINDS, costs.kinds, strict=True):
        assert of_kind.kind == kind and len(of_kind.parameters) == len(decoder.blocks)
        dense, without = profile(Subnetwork(decoder, (Unit(kind, 1),)), QUICK, Unattended()).models
        assert (costs.parameters, costs.kv_bytes_per_token) == (dense.parameters, dense.kv_bytes_per_token)
        assert of_kind.parameters[1] == dense.parameters - without.parameters
        assert of_kind.stored_bytes[1] == dense.stored_bytes - without.stored_bytes
        assert of_kind.kv_bytes_per_token[1] == dense.kv_bytes_per_token - without.kv_bytes_per_token


def test_a_block_costs_its_sublayers_and_norms() -> None:
    block, attention, feed_forward = unit_costs(Decoder(tiny_model("llama")), Unattended()).kinds
    hidden = Decoder(tiny_model("llama")).hidden_size
    for index, parameters in enumerate(block.parameters):
        assert parameters == attention.parameters[index] + feed_forward.parameters[index] + 2 * hidden
    assert structs.asdict(feed_forward)["kv_bytes_per_token"] == (0,) * len(block.parameters)
