"""What formats refuse whatever else goes, told before anything is fitted: the same as of fitted repairs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from transformers import SmolLM3Config

from depthkit_worker.contract.wire import (
    BiasOptions,
    EmulatedUpdateOptions,
    ExportFormat,
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
from depthkit_worker.export.can_export import can_export, export_limits
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.manifest import Manifest, write_manifest
from depthkit_worker.models.source import Source
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.repair.fitting import Base
from depthkit_worker.repair.methods import fit_repairs
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from repair.builders import base_of
from tiny import SHAPE, random_model

FAMILIES = ("llama", "gpt2", "gemma2", "gpt_neox", "mixtral", "granite", "qwen3")
FORMATS: tuple[ExportFormat, ...] = ("huggingface", "gguf", "onnx")
TRAINING = TrainingOptions(steps=1, batch_size=1)
METHODS: dict[str, RepairMethod] = {
    "emulated-update": EmulatedUpdateOptions(),
    "bias": BiasOptions(training=TRAINING),
    "low-rank": LowRankOptions(rank=2),
    "raw low-rank": LowRankOptions(rank=2, input="raw", constant=False),
    "patch": PatchOptions(),
    "scale": ScaleOptions(),
    "fold": FoldOptions(),
    "constant fold": FoldOptions(ridge=None),
    "replacement-block": ReplacementBlockOptions(),
    "swiglu": ReplacementBlockOptions(kind="swiglu", width=4, training=TRAINING),
    "feed-forward": ReplacementBlockOptions(kind="feed-forward", width=4, training=TRAINING),
    "lora": LoraOptions(rank=1, training=TRAINING),
    "partial": PartialOptions(training=TRAINING),
}


def told(decoder: Decoder, format_: ExportFormat, unit: Unit, *methods: RepairMethod) -> str | None:
    refused = export_limits(decoder, format_, (unit,), methods).refused
    assert [one.unit for one in refused] in ([], [str(unit)])
    return refused[0].reason if refused else None


def as_from_gguf(decoder: Decoder, folder: Path) -> Decoder:
    """The same model, in a folder that says that it was made from a GGUF file."""
    folder.mkdir()
    write_manifest(folder, Manifest("base.gguf", "a" * 64), lambda: None)
    return Decoder(decoder.model, decoder.tokenizer, Source("base.gguf", None, folder, "0" * 64, "float32"))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", METHODS)
def test_what_is_told_of_a_method_is_what_its_fitted_repair_is_told(
    name: str, family: str, tmp_path: Path
) -> None:
    asked = 0
    for kind in UNIT_KINDS:
        unit = Unit(kind, 2)
        base = base_of(family, str(unit))
        base = on(base, as_from_gguf(base.decoder, tmp_path / kind))
        try:
            repairs, _ = fit_repairs(base, METHODS[name], lambda _: None, Unattended())
        except DepthkitError as error:
            assert error.code == "INVALID_ARGUMENT"  # a method that does not apply there
            continue
        asked += 1
        for format_ in FORMATS:
            expected = can_export(base.subnetwork.repaired(*repairs), format_).reason
            assert told(base.decoder, format_, unit, METHODS[name]) == expected, (kind, format_)
    assert asked > 0 or (name, family) in {
        ("scale", "gemma2"),
        ("fold", "gemma2"),
        ("constant fold", "gemma2"),
        ("fold", "mixtral"),
        ("constant fold", "mixtral"),
        ("lora", "mixtral"),
    }


def on(base: Base, decoder: Decoder) -> Base:
    return replace(base, subnetwork=replace(base.subnetwork, decoder=decoder))


def test_repairs_are_asked_for_together(tmp_path: Path) -> None:
    base = base_of("gpt2", "block.2")
    decoder = as_from_gguf(base.decoder, tmp_path / "gpt2")
    unit, constant = Unit("block", 2), EmulatedUpdateOptions()
    assert told(decoder, "gguf", unit, constant) is None
    assert "changed" in (told(decoder, "gguf", unit, constant, LoraOptions()) or "")


def test_an_order_of_blocks_is_a_rule_of_its_own(tmp_path: Path) -> None:
    smollm3 = as_from_gguf(Decoder(random_model(SmolLM3Config(**SHAPE))), tmp_path / "smollm3")
    units = tuple(Unit("block", index) for index in range(smollm3.depth))
    limits = export_limits(smollm3, "gguf", units, ())
    assert limits.keeps_pattern
    assert limits.refused == ()
    assert not can_export(Subnetwork(smollm3, units[1:2]), "gguf").possible
    assert not export_limits(smollm3, "huggingface", units, ()).keeps_pattern
    (refused,) = export_limits(smollm3, "gguf", (units[0], Unit("attention", 1)), ()).refused
    assert refused.unit == "attention.1"
    assert "Llama's shape" in refused.reason
