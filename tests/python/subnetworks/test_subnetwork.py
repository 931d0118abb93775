"""A subnetwork is checked where it is made, and a value from then on."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import Parts, Unit
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import DEPTH, tiny_model

BLOCK = Unit("block", 2)


def constant(unit: Unit = BLOCK, digest: str = "a", base: tuple[str, ...] = ()) -> Repair:
    return Repair("by-hand", (unit,), {unit.index: BlockEdit(beside=Constant(torch.ones(32)))}, digest, base)


@pytest.mark.parametrize(
    ("units", "repairs", "message"),
    [
        ((Unit("block", DEPTH),), (), "There is no block.6 in this model of 6 blocks"),
        ((BLOCK, BLOCK), (), "named more than once"),
        (
            (Unit("block", 3),),
            (constant(),),
            r"makes up for block\.2, and the subnetwork is without block\.3",
        ),
        ((Unit("attention", 2),), (constant(),), r"makes up for block\.2"),
        ((BLOCK,), (constant(digest="b", base=("a",)),), "on top of another one"),
        ((BLOCK,), (constant(), constant(digest="b")), "Two repairs stand in for block.2"),
    ],
)
def test_what_cannot_be_is_refused(
    units: tuple[Unit, ...], repairs: tuple[Repair, ...], message: str
) -> None:
    with pytest.raises(DepthkitError, match=message) as caught:
        Subnetwork(Decoder(tiny_model("llama")), units, repairs)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_what_it_says_of_the_blocks() -> None:
    decoder = Decoder(tiny_model("llama"))
    repair = constant()
    subnetwork = Subnetwork(
        decoder, (Unit("feed-forward", 2), Unit("attention", 4), Unit("attention", 2)), (repair,)
    )
    assert subnetwork.lost == (Parts.NONE, Parts.NONE, Parts.BOTH, Parts.NONE, Parts.ATTENTION, Parts.NONE)
    assert subnetwork.shortest_units == (BLOCK, Unit("attention", 4))
    assert subnetwork.edits == dict(repair.edits)
    assert Subnetwork.dense(decoder).lost == (Parts.NONE,) * DEPTH


def test_it_is_a_value() -> None:
    decoder, repair = Decoder(tiny_model("llama")), constant()
    bare = Subnetwork(decoder, (BLOCK,))
    repaired = bare.repaired(repair)
    assert bare.repairs == ()
    assert repaired == Subnetwork(decoder, (BLOCK,), (repair,))
    assert hash(repaired) == hash(Subnetwork(decoder, (BLOCK,), (repair,)))
    assert repaired != bare
    assert repaired.unrepaired == bare
    with pytest.raises(dataclasses.FrozenInstanceError):
        bare.units = ()  # type: ignore[misc]
