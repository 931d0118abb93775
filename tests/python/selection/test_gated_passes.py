"""Gates that are 0 or 1 against hooks on the model's own forward: the loss, and its slope in every gate."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
import torch

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.selection.gated_passes import GatedPasses
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from family_models import MIXTURES, NORMED
from influence.builders import corpus_of, tiny
from influence.gates import ROWS, gated, loss_of, slope, step_of
from tiny import FAMILY_MODELS, random_model

EVERY = range(len(ROWS))
SUBLAYERS = [Unit(kind, index) for index in range(1, 5) for kind in ("attention", "feed-forward")]
BLOCKS = [Unit("block", index) for index in range(6)]
GONE = [Unit("attention", 1), Unit("feed-forward", 2), Unit("attention", 3), Unit("feed-forward", 3)]
"""One of the two, the other, both; block 4 stays whole."""


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_the_gated_loss_is_that_of_the_model_without_the_units(name: str) -> None:
    decoder = tiny(name)
    for units, gone in ((SUBLAYERS, GONE), (BLOCKS, BLOCKS[2:4]), (BLOCKS, [])):
        passes = GatedPasses(decoder, corpus_of(ROWS), units, Unattended())
        with removed(Subnetwork(decoder, tuple(gone))), torch.no_grad():
            expected = float(loss_of(decoder.model))
        assert passes.loss(gone, 2) == pytest.approx(expected, abs=1e-5)
        assert passes.slopes(EVERY, gone, {}).loss == pytest.approx(expected, abs=1e-5)


# Experts are chosen anew where a gate moves, and their loss jumps.
@pytest.mark.parametrize("name", [name for name in FAMILY_MODELS if name not in MIXTURES])
@torch.no_grad()
def test_slopes_are_central_differences_also_where_a_unit_is_gone(name: str) -> None:
    decoder = Decoder(random_model(FAMILY_MODELS[name](), dtype=torch.float64))
    cases = [(BLOCKS, BLOCKS[1:3])] if name in NORMED else [(BLOCKS, BLOCKS[1:3]), (SUBLAYERS, GONE)]
    for units, gone in cases:
        found = GatedPasses(decoder, corpus_of(ROWS), units, Unattended()).slopes(EVERY, gone, {}).slopes
        for place, unit in enumerate(units):

            def loss_at(away: float, unit: Unit = unit, gone: list[Unit] = gone) -> float:
                with ExitStack() as gates:
                    for other in gone:
                        if other != unit:
                            gates.enter_context(gated(decoder, other.kind, other.index, 0.0))
                    gates.enter_context(gated(decoder, unit.kind, unit.index, float(unit not in gone) + away))
                    return float(loss_of(decoder.model))

            assert float(found[place]) == pytest.approx(slope(loss_at, step_of(name)), rel=5e-3, abs=5e-5), (
                str(unit)
            )


def test_a_cancel_is_obeyed_between_blocks_and_leaves_nothing_behind() -> None:
    decoder = tiny("llama")
    for patience in range(1, 12, 3):

        class Impatient(Unattended):
            left = patience

            def check(self) -> None:
                self.left -= 1
                if self.left == 0:
                    raise cancelled()

        before = list(decoder.model.modules())
        with pytest.raises(DepthkitError, match="cancelled"):
            GatedPasses(decoder, corpus_of(ROWS), SUBLAYERS, Impatient()).slopes(EVERY, GONE, {})
        assert list(decoder.model.modules()) == before
        assert not any(m._forward_hooks or m._forward_pre_hooks for m in before)
