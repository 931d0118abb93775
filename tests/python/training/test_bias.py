"""The trained bias: an emulated update that goes on learning."""

from __future__ import annotations

import torch
from msgspec import structs

from depthkit_worker.contract.wire import BiasOptions, EmulatedUpdateOptions
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.bias import fit_bias
from depthkit_worker.repair.emulated_update import fit_emulated_update
from depthkit_worker.session.job import Unattended
from influence.builders import llama
from training.builders import REMOVED, SHORT, base_of, ignore


def test_it_starts_from_the_emulated_update_and_lowers_the_objective() -> None:
    decoder = llama()
    units = (*REMOVED, Unit("attention", 4))
    before = weights_checksum(decoder)
    options = structs.replace(SHORT, steps=20, batch_size=6, activation_checkpointing=True)
    fitted = fit_bias(BiasOptions(training=options), ignore, base_of(decoder, units), Unattended())
    start = fit_emulated_update(
        EmulatedUpdateOptions(reference="dense", scale=1.0), base_of(decoder, units), Unattended()
    )
    assert [fill.removed for fill in fitted.fills] == [fill.removed for fill in start.fills]
    slots = [(2, "beside"), (4, "before")]
    for fill, begun, (index, slot) in zip(fitted.fills, start.fills, slots, strict=True):
        here, there = getattr(fill.edits[index], slot), getattr(begun.edits[index], slot)
        assert isinstance(here, Constant) and isinstance(there, Constant)
        assert 0 < (here.vector - there.vector).norm() < 1e-2 * 20 * 32
        assert torch.isfinite(here.vector).all()
    assert fitted.training is not None
    first, last = (fitted.training.points[place].objective for place in (0, -1))
    assert first is not None and last is not None and last < first
    assert weights_checksum(decoder) == before
