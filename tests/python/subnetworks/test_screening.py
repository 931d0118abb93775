"""The precision `screen`: how far off it is, what it leaves alone, and where it has nothing to offer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from depthkit_worker.contract.wire import EngineOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.repair.repair import Repair, slot_of, update_at
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import EngineResult, evaluate_subnetworks
from depthkit_worker.subnetworks.masks import NO_ATTENTION, NO_FEED_FORWARD, WHOLE, Subnetworks
from depthkit_worker.subnetworks.positions import MEASURES
from depthkit_worker.subnetworks.screening import screened_products, screening_of
from depthkit_worker.subnetworks.steps import Stepper
from subnetworks.physical import corpus_of, one_removed
from tiny import DEPTH, FAMILY_MODELS, random_model, tiny_model, token_ids

IDS = token_ids(2, 11)
EXACT, SCREEN = EngineOptions(), EngineOptions(precision="screen")
UNITS = tuple(Unit(kind, index) for kind in UNIT_KINDS for index in range(DEPTH))


def able(_device: torch.device) -> bool:
    """A processor with instructions for bfloat16."""
    return True


def unable(_device: torch.device) -> bool:
    return False


def evaluate(
    decoder: Decoder,
    options: EngineOptions,
    fast: Callable[[torch.device], bool] = able,
    subnetworks: Subnetworks | None = None,
) -> EngineResult:
    asked = one_removed(UNITS) if subnetworks is None else subnetworks
    return evaluate_subnetworks(
        decoder, corpus_of(list(IDS)), asked, MEASURES, options, Unattended(), fast=fast
    )


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_values_are_near_the_exact_ones_and_are_others(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    exact, screened = evaluate(decoder, EXACT), evaluate(decoder, SCREEN)
    assert (screened.values != exact.values).any(0).all()
    # Losses are about 5 and distances 1 to 11; a router may send a token to another expert.
    off = np.abs(screened.values - exact.values).max(0)
    assert (off < [0.1, 0.03, 0.2]).all()
    assert screened.notes == exact.notes
    # Nothing is left behind that would change an exact value.
    np.testing.assert_array_equal(evaluate(decoder, EXACT).values, exact.values)


@pytest.mark.parametrize("name", FAMILY_MODELS)
@torch.inference_mode()
def test_the_residual_stream_stays_in_float32(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    replay = decoder.begin(IDS)
    stepper = Stepper(decoder, products=screened_products(decoder.device))
    states = [replay.hidden]
    for index in range(decoder.depth):
        states += stepper.run(index, states[-1], (WHOLE, NO_ATTENTION, NO_FEED_FORWARD), replay).values()
    assert {state.dtype for state in states} == {torch.float32}


def test_repairs_are_in_place() -> None:
    decoder = Decoder(tiny_model("llama"))
    unit = Unit("feed-forward", 2)
    edit = update_at(slot_of(unit.kind, decoder.parallel), Constant(torch.randn(32)))
    repair = Repair("by hand", (unit,), {2: edit}, digest="one")
    plain = one_removed([unit])
    repaired = Subnetworks(plain.units, plain.kept, (repair,))
    exact, screened = (evaluate(decoder, options, subnetworks=repaired) for options in (EXACT, SCREEN))
    assert np.abs(screened.values - exact.values).max() < 0.05
    assert np.abs(evaluate(decoder, SCREEN, subnetworks=plain).values - screened.values).max() > 0.1


def test_without_instructions_for_bfloat16_it_is_exact_and_says_so() -> None:
    decoder = Decoder(tiny_model("llama"))
    assert (screening_of(decoder, able), screening_of(decoder, unable)) == ("bfloat16", "float32")
    screened = evaluate(decoder, SCREEN, unable)
    np.testing.assert_array_equal(screened.values, evaluate(decoder, EXACT).values)
    assert screened.notes == (
        "screen was asked for, and cpu has no fast instructions for bfloat16: computed in float32, which is "
        "exact",
    )


def test_a_model_in_bfloat16_has_nothing_to_gain() -> None:
    decoder = Decoder(random_model(FAMILY_MODELS["llama"](), dtype=torch.bfloat16))
    assert screening_of(decoder, able) is None
    with pytest.raises(DepthkitError, match="is loaded in bfloat16") as raised:
        evaluate(decoder, SCREEN)
    assert raised.value.code == "INVALID_ARGUMENT"


def test_an_error_leaves_exact_values_exact() -> None:
    """What computes in bfloat16 ends with the call, however it ends."""
    decoder = Decoder(tiny_model("llama"))
    exact = evaluate(decoder, EXACT).values

    def stop(*_: object) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        evaluate_subnetworks(
            decoder, corpus_of(list(IDS)), one_removed(UNITS), MEASURES, SCREEN, Unattended(), stop, fast=able
        )
    assert not torch.is_autocast_enabled("cpu")
    np.testing.assert_array_equal(evaluate(decoder, EXACT).values, exact)
