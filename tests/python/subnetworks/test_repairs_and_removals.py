"""Every kind of repair under every further removal around it: the model's own forward, the engine and an
export say the same, or the removal is refused by name."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from depthkit_worker.contract.wire import (
    BiasOptions,
    EmulatedUpdateOptions,
    EngineOptions,
    FoldDescent,
    FoldOptions,
    LoraOptions,
    LowRankOptions,
    PartialOptions,
    PatchOptions,
    RepairMethod,
    ReplacementBlockOptions,
    ScaleOptions,
    TrainingOptions,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import UNIT_KINDS, Unit, removed_parts
from depthkit_worker.repair.methods import fit_repairs
from depthkit_worker.repair.repair import Repair
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.masks import Subnetworks
from depthkit_worker.subnetworks.positions import MEASURES
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from export.checkpoints import logits, save
from repair.builders import base_of, many_rows, units_of
from subnetworks.physical import corpus_of, measures_by_definition
from tiny import tiny_model, token_ids

IDS = token_ids(2, 11)
NAMES = ["llama", "gpt_neox-parallel", "gpt2", "opt"]
TRAINING = TrainingOptions(steps=3, batch_size=4, learning_rate=0.05, warmup=1, validation=0)
KINDS: dict[str, Callable[[], RepairMethod]] = {
    "emulated-update": EmulatedUpdateOptions,
    "bias": lambda: BiasOptions(training=TRAINING),
    "low-rank": lambda: LowRankOptions(rank=2),
    "low-rank trained": lambda: LowRankOptions(rank=2, training=TRAINING),
    "fold": FoldOptions,
    "fold by cosine": lambda: FoldOptions(
        objective="cosine", descent=FoldDescent(steps=30, learning_rate=1e-3)
    ),
    "fold of a bias alone": lambda: FoldOptions(ridge=None),
    "patch": PatchOptions,
    "scale": ScaleOptions,
    "replacement-block": lambda: ReplacementBlockOptions(training=TRAINING),
    "partial": lambda: PartialOptions(tuned="neighbours", count=1, training=TRAINING),
    "lora": lambda: LoraOptions(targets=("attention", "feed-forward"), rank=2, training=TRAINING),
}


def fitted(
    decoder: Decoder, options: RepairMethod, *names: str, on: tuple[Repair, ...] = ()
) -> tuple[Repair, ...]:
    """The repairs of the subnetwork without the units of `names`, those it was made on among them."""
    base = base_of(decoder, *names, rows=many_rows(6), repairs=on)
    made, _ = fit_repairs(base, options, lambda _point: None, Unattended())
    return (*on, *made)


def engine_values(
    decoder: Decoder, units: tuple[Unit, ...], repairs: tuple[Repair, ...], told: bool
) -> np.ndarray:
    asked = Subnetworks(
        units or (Unit("block", 0),),
        np.zeros((1, len(units)), dtype=np.bool_) if units else np.ones((1, 1), dtype=np.bool_),
        repairs,
        np.ones((1, len(repairs)), dtype=np.bool_) if told else None,
    )
    found: np.ndarray = evaluate_subnetworks(
        decoder, corpus_of(list(IDS)), asked, MEASURES, EngineOptions(), Unattended()
    ).values[0]
    return found


@torch.inference_mode()
def own_logits(decoder: Decoder, subnetwork: Subnetwork) -> Tensor:
    with removed(subnetwork):
        found: Tensor = decoder.model(input_ids=IDS, use_cache=False).logits
    return found


def all_agree(decoder: Decoder, units: tuple[Unit, ...], repairs: tuple[Repair, ...], folder: Path) -> Tensor:
    """Forward, engine and export; gives the logits."""
    dense = own_logits(decoder, Subnetwork.dense(decoder))
    expected = own_logits(decoder, Subnetwork(decoder, units, repairs))
    by_definition = measures_by_definition(expected, dense, IDS)
    for told in (True, False):
        np.testing.assert_allclose(
            engine_values(decoder, units, repairs, told), by_definition, rtol=2e-5, atol=1e-5
        )
    if any(part.value & 1 == 0 for part in removed_parts(units, decoder.depth)):
        save(decoder, units, folder, repairs, overwrite=True)
        model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)
        torch.testing.assert_close(logits(model, IDS), expected, rtol=2e-4, atol=2e-4)
    assert torch.equal(own_logits(decoder, Subnetwork.dense(decoder)), dense), "the model was left changed"
    return expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_every_repair_under_every_further_removal(name: str, kind: str, tmp_path: Path) -> None:
    decoder = Decoder(tiny_model(name))
    repairs = fitted(decoder, KINDS[kind](), "block.3")
    worked_inside = {"fold": "feed-forward.2", "fold by cosine": "feed-forward.2"}.get(kind)
    for further in [(unit_kind, index) for unit_kind in UNIT_KINDS for index in (2, 4)] + [("attention", 3)]:
        units = (*units_of("block.3"), Unit(*further))
        if worked_inside is not None and Unit(*further) in units_of("block.2", worked_inside):
            with pytest.raises(
                DepthkitError, match=f"the subnetwork is without .*Keep {worked_inside}"
            ) as failure:
                Subnetwork(decoder, units, repairs)
            assert failure.value.code == "INVALID_ARGUMENT"
            # A game goes on without it, as without any repair that has not its place.
            bare = engine_values(decoder, units, (), True)
            np.testing.assert_array_equal(engine_values(decoder, units, repairs, False), bare)
            with pytest.raises(DepthkitError, match=f"Keep {worked_inside}"):
                engine_values(decoder, units, repairs, True)
            continue
        all_agree(decoder, units, repairs, tmp_path / "out")


@pytest.mark.parametrize("name", NAMES)
def test_a_healed_block_that_is_removed_takes_its_changes_along(name: str, tmp_path: Path) -> None:
    """LoRA, merged by hand into a copy of the model, of which units are then removed."""
    decoder = Decoder(tiny_model(name))
    repairs = fitted(decoder, KINDS["lora"]())
    merged = Decoder(copy.deepcopy(decoder.model))
    for index, edit in repairs[0].edits.items():
        for parameter, change in edit.weights.items():
            weight = merged.blocks[index].get_parameter(parameter)
            weight.data = change(weight.data)
    for names in (
        ["block.2"],
        ["attention.2"],
        ["feed-forward.2"],
        ["attention.2", "feed-forward.2"],
        ["block.0", "block.5"],
    ):
        units = units_of(*names)
        found = all_agree(decoder, units, repairs, tmp_path / "out")
        torch.testing.assert_close(found, own_logits(merged, Subnetwork(merged, units)))


@pytest.mark.parametrize("name", NAMES)
def test_lora_on_a_replacement_block_is_in_place_everywhere(name: str, tmp_path: Path) -> None:
    decoder = Decoder(tiny_model(name))
    gap = ("block.2", "block.3")
    replaced = fitted(decoder, KINDS["replacement-block"](), *gap)
    healed = fitted(decoder, KINDS["lora"](), *gap, on=replaced)
    assert 2 in healed[-1].edits
    units = units_of(*gap)
    found = all_agree(decoder, units, healed, tmp_path / "out")
    others = {index: edit for index, edit in healed[-1].edits.items() if index != 2}
    without = Repair("lora", healed[-1].removed, others, "without", healed[-1].base)
    assert not torch.allclose(found, own_logits(decoder, Subnetwork(decoder, units, (*replaced, without))))
    all_agree(decoder, (*units, *units_of("attention.4")), healed, tmp_path / "out")


@pytest.mark.parametrize("name", NAMES)
def test_a_replacement_is_not_changed_by_what_healed_the_block_before_it(name: str, tmp_path: Path) -> None:
    decoder = Decoder(tiny_model(name))
    healed = fitted(decoder, KINDS["lora"]())
    both = fitted(decoder, ReplacementBlockOptions(), "block.2", on=healed)
    units = units_of("block.2")
    all_agree(decoder, units, both, tmp_path / "out")
    # What runs there is the dense model's block, as it was put there.
    others = {index: edit for index, edit in healed[0].edits.items() if index != 2}
    elsewhere = Repair("lora", (), others, "elsewhere")
    expected = own_logits(decoder, Subnetwork(decoder, (), (elsewhere,)))
    assert torch.equal(own_logits(decoder, Subnetwork(decoder, units, both)), expected)


def test_what_was_made_on_top_of_a_repair_goes_with_it() -> None:
    decoder = Decoder(tiny_model("llama"))
    folded = fitted(decoder, FoldOptions(), "block.3")
    healed = fitted(decoder, KINDS["lora"](), "block.3", on=folded)
    units = units_of("block.3", "feed-forward.2")
    bare = engine_values(decoder, units, (), True)
    np.testing.assert_array_equal(engine_values(decoder, units, healed, False), bare)
