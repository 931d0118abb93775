"""Repairs in the engine, against the same repairs on the live model, which runs its own forward."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from depthkit_worker.contract.wire import EngineOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import Constant, Linear, LowRank, Scale
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.repair.repair import BlockEdit, Repair, slot_of, update_at
from depthkit_worker.repair.weight_changes import Value
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.masks import Subnetworks
from depthkit_worker.subnetworks.positions import MEASURES
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from subnetworks.physical import corpus_of, measures_by_definition
from tiny import DEPTH, FAMILY_MODELS, tiny_model, token_ids

IDS = token_ids(2, 11)
HIDDEN = 32


def repair_of(*units: Unit, edits: dict[int, BlockEdit], base: tuple[str, ...] = ()) -> Repair:
    return Repair("by hand", units, edits, digest="+".join(map(str, units)) + str(sorted(edits)), base=base)


def constant_at(decoder: Decoder, unit: Unit, seed: int = 0) -> Repair:
    vector = torch.randn(HIDDEN, generator=torch.Generator().manual_seed(seed + unit.index))
    return repair_of(
        unit, edits={unit.index: update_at(slot_of(unit.kind, decoder.parallel), Constant(vector))}
    )


@pytest.mark.parametrize("name", ["llama", "gpt_neox-parallel", "bloom"])
@torch.inference_mode()
def test_factors_of_the_stream_are_the_same_in_engine_and_model(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    units = (Unit("block", 1), Unit("attention", 3), Unit("feed-forward", 4))
    repairs = tuple(
        repair_of(unit, edits={unit.index: update_at(slot_of(unit.kind, decoder.parallel), Scale(factor))})
        for unit, factor in zip(units, (1.3, 0.8, 1.7), strict=True)
    )
    agree(decoder, units, repairs, np.array([[1, 1, 1], [0, 1, 0], [1, 0, 1], [0, 0, 0]], dtype=np.bool_))


@pytest.mark.parametrize("name", ["llama-tied", "cohere", "gemma2"])
@torch.inference_mode()
def test_heads_are_the_same_in_engine_and_model(name: str) -> None:
    """Each subnetwork its own, the last one that was made, beside those with the model's and the dense
    model."""
    decoder = Decoder(tiny_model(name))
    units = (Unit("block", 1), Unit("attention", 3))
    shape = decoder.model.get_output_embeddings().get_parameter("weight").shape
    heads = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.2 for seed in (1, 2)]
    repairs = (
        repair_of(units[0], edits={DEPTH: BlockEdit(weights={"weight": Value(heads[0])})}),
        repair_of(units[1], edits={DEPTH: BlockEdit(weights={"weight": Value(heads[1])})}),
        constant_at(decoder, units[0], seed=3),
    )
    rows = [[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 0, 1], [0, 0, 0]]
    agree(decoder, units, repairs, np.array(rows, dtype=np.bool_))


def low_rank() -> LowRank:
    torch.manual_seed(1)
    return LowRank(torch.randn(HIDDEN, 3), torch.randn(3, HIDDEN) * 0.1, torch.randn(HIDDEN), "normed", 1e-6)


def live_logits(decoder: Decoder, units: tuple[Unit, ...], repairs: tuple[Repair, ...]) -> Tensor:
    with removed(Subnetwork(decoder, units, repairs)):
        logits: Tensor = decoder.model(input_ids=IDS, use_cache=False).logits
    return logits


def agree(
    decoder: Decoder, units: tuple[Unit, ...], repairs: tuple[Repair, ...], repaired: np.ndarray
) -> None:
    """All of `units` removed, under each row of `repaired`; the dense model among them."""
    kept = np.zeros((len(repaired) + 1, len(units)), dtype=np.bool_)
    kept[-1] = True
    rows = np.concatenate([repaired, np.zeros((1, len(repairs)), dtype=np.bool_)])
    dense = live_logits(decoder, (), ())
    result = evaluate_subnetworks(
        decoder,
        corpus_of(list(IDS)),
        Subnetworks(units, kept, repairs, rows),
        MEASURES,
        EngineOptions(),
        Unattended(),
    )
    for row, values in zip(repaired, result.values, strict=False):
        chosen = tuple(repair for repair, on in zip(repairs, row, strict=True) if on)
        logits = live_logits(decoder, units, chosen)
        np.testing.assert_allclose(values, measures_by_definition(logits, dense, IDS), rtol=2e-5, atol=1e-5)
    assert result.values[-1, 1:].tolist() == [0.0, 0.0]
    assert torch.equal(live_logits(decoder, (), ()), dense), "the model was left changed"


@pytest.mark.parametrize("name", FAMILY_MODELS)
@torch.inference_mode()
def test_updates_in_every_family_are_the_same_in_engine_and_model(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    units = (Unit("block", 1), Unit("attention", 3), Unit("feed-forward", 4))
    repairs = tuple(constant_at(decoder, unit) for unit in units)
    agree(decoder, units, repairs, np.array([[1, 1, 1], [0, 1, 0], [1, 0, 1], [0, 0, 0]], dtype=np.bool_))


@pytest.mark.parametrize("name", ["llama", "gpt_neox-parallel", "gpt2", "bloom"])
@torch.inference_mode()
def test_adapters_blocks_and_weights(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    run = (Unit("block", 1), Unit("block", 2))
    block = copy.deepcopy(decoder.blocks[1])
    for parameter in block.parameters():
        parameter.data += 0.01
    weight = next(name for name, parameter in decoder.blocks[4].named_parameters() if parameter.ndim == 2)
    healed = repair_of(*run, edits={4: BlockEdit(weights={weight: lambda tensor: tensor * 1.5})})
    repairs = (
        repair_of(*run, edits={1: BlockEdit(beside=low_rank())}),
        repair_of(*run, edits={1: BlockEdit(replacement=block)}),
        healed,
        repair_of(Unit("block", 2), edits={0: BlockEdit(after=Linear(torch.eye(HIDDEN) * 0.1))}),
    )
    rows = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 0, 1, 0], [0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    agree(decoder, run, repairs, np.array(rows, dtype=np.bool_))


@torch.inference_mode()
def test_both_sublayers_of_a_parallel_block_can_be_repaired() -> None:
    decoder = Decoder(tiny_model("gpt_neox-parallel"))
    units = (Unit("attention", 2), Unit("feed-forward", 2))
    agree(
        decoder, units, tuple(constant_at(decoder, unit) for unit in units), np.ones((1, 2), dtype=np.bool_)
    )


@torch.inference_mode()
def test_without_a_mask_a_repair_is_in_place_wherever_its_units_are_removed() -> None:
    decoder = Decoder(tiny_model("llama"))
    units = tuple(Unit("block", index) for index in range(DEPTH))
    repairs = tuple(constant_at(decoder, unit) for unit in units)
    kept = np.random.default_rng(0).random((6, DEPTH)) < 0.6
    corpus = corpus_of(list(IDS))
    asked = Subnetworks(units, kept, repairs)
    free = evaluate_subnetworks(decoder, corpus, asked, ("loss",), EngineOptions(), Unattended())
    told = evaluate_subnetworks(
        decoder,
        corpus,
        Subnetworks(units, kept, repairs, repaired=~kept),
        ("loss",),
        EngineOptions(),
        Unattended(),
    )
    np.testing.assert_array_equal(free.values, told.values)


B1, B2, B3, A2, F2 = map(Unit.parse, ("block.1", "block.2", "block.3", "attention.2", "feed-forward.2"))


@pytest.mark.parametrize(
    ("units", "removed_in_each", "of", "told"),
    [
        ((B1, B2), [[B1]], [(B2,)], [(B2,)]),  # its unit stays everywhere
        ((B1, B2, B3), [[B2], [B3], [B1, B3]], [(B2, B3)], [(B2, B3)]),  # one of a run, parts of it removed
        ((B1, B2, B3), [[B2], [B2, B3]], [(B2, B3)], []),  # the run in one subnetwork
        ((A2, F2), [[A2], [F2]], [(B2,)], [(B2,)]),  # a sublayer at a time is not the block
        ((A2, F2), [[A2, F2]], [(B2,)], []),
        ((B1, B2), [[B1]], [(B1,), (B2,)], [(B2,)]),  # one of two
        ((B1, B2), [[]], [(B1,), (B2,)], [(B1,), (B2,)]),
        ((B1,), [[]], [()], []),  # what heals the whole is always in place
    ],
)
def test_a_repair_that_applies_nowhere_is_told(
    units: tuple[Unit, ...],
    removed_in_each: list[list[Unit]],
    of: list[tuple[Unit, ...]],
    told: list[tuple[Unit, ...]],
) -> None:
    decoder = Decoder(tiny_model("llama"))
    repairs = tuple(repair_of(*gap, edits={2: BlockEdit(after=Constant(torch.ones(HIDDEN)))}) for gap in of)
    kept = np.array([[unit not in gone for unit in units] for gone in removed_in_each])
    corpus = corpus_of(list(IDS))

    def notes(repaired: np.ndarray | None) -> tuple[str, ...]:
        asked = Subnetworks(units, kept, repairs, repaired)
        return evaluate_subnetworks(decoder, corpus, asked, ("loss",), EngineOptions(), Unattended()).notes

    named = [f"the repair by hand for {', '.join(map(str, gap))} is in place in none" for gap in told]
    assert [note.split(" of these")[0] for note in notes(None)] == named
    # Who says where each repair is has said that it is nowhere.
    assert notes(np.zeros((len(kept), len(repairs)), dtype=np.bool_)) == ()


def test_a_misplaced_repair_is_refused_with_its_row() -> None:
    decoder = Decoder(tiny_model("llama"))
    unit = Unit("block", 2)
    repair = constant_at(decoder, unit)
    request = Subnetworks((unit,), np.array([[True], [False]]), (repair,), np.array([[True], [True]]))
    with pytest.raises(DepthkitError, match="without nothing"):
        evaluate_subnetworks(decoder, corpus_of(list(IDS)), request, ("loss",), EngineOptions(), Unattended())


@pytest.mark.parametrize("name", UNIT_KINDS)
def test_a_repair_leaves_the_model_as_it_was_after_an_error(name: str) -> None:
    decoder = Decoder(tiny_model("llama"))
    unit = Unit.parse(f"{name}.2")
    before = dict(decoder.model.named_modules())
    with (
        pytest.raises(ZeroDivisionError),
        removed(Subnetwork(decoder, (unit,), (constant_at(decoder, unit),))),
    ):
        raise ZeroDivisionError
    assert before == dict(decoder.model.named_modules())
    assert not any(block._forward_hooks or block._forward_pre_hooks for block in decoder.blocks)
