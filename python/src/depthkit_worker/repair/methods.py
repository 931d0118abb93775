"""Every method by its options, and what is said of a repair that was made."""

from __future__ import annotations

import json
import time
from typing import assert_never

from msgspec import to_builtins

from depthkit_worker.contract.wire import (
    BiasOptions,
    EmulatedUpdateOptions,
    FoldOptions,
    LoraOptions,
    LowRankOptions,
    PartialOptions,
    PatchOptions,
    RepairInfo,
    RepairMethod,
    RepairReport,
    ReplacementBlockOptions,
    ScaleOptions,
)
from depthkit_worker.memory.peaks import PeakMemory
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.repair.bias import fit_bias
from depthkit_worker.repair.emulated_update import fit_emulated_update
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.repair.fold import fit_fold
from depthkit_worker.repair.lora import fit_lora
from depthkit_worker.repair.low_rank import fit_low_rank
from depthkit_worker.repair.partial import fit_partial
from depthkit_worker.repair.patch import fit_patch
from depthkit_worker.repair.repair import Repair
from depthkit_worker.repair.replacement_block import fit_replacement_block
from depthkit_worker.repair.scale import fit_scale
from depthkit_worker.repair.storage import added_parameters, make_repair
from depthkit_worker.repair.training.report import OnPoint
from depthkit_worker.session.job import Job

WITHOUT_EFFECT = ("folder", "saveEvery")
"""Of a training's settings: where and how often its checkpoints are written."""


def fit_repairs(
    base: Base, options: RepairMethod, on_point: OnPoint, job: Job
) -> tuple[tuple[Repair, ...], RepairReport]:
    """The repairs that a method fits; `on_point` hears of training as it goes."""
    started = time.monotonic()
    decoder = base.decoder
    _check_quantised(decoder, options)
    memory = PeakMemory(*decoder.devices)
    before = weights_checksum(decoder)
    fitted = fit(base, options, on_point, job)
    unchanged = weights_checksum(decoder) == before
    method, settings = str(options.__struct_config__.tag), _settings(fitted.options)
    repairs = tuple(
        make_repair(decoder, method, fill.removed, fill.edits, settings, fill.base) for fill in fitted.fills
    )
    report = RepairReport(
        repairs=tuple(repair_info(decoder, repair) for repair in repairs),
        gaps=fitted.gaps,
        training=fitted.training,
        sequences=base.corpus.sequences,
        tokens=base.corpus.tokens,
        skip_tokens=base.options.skip_tokens,
        weights_unchanged=unchanged,
        peak_bytes=memory.bytes(),
        notes=(*_written_notes(base), *fitted.notes),
        seconds=time.monotonic() - started,
    )
    return repairs, report


def takes_steps(options: RepairMethod) -> bool:
    """Whether it is lowered step by step, each from the last, on the whole corpus: not to be cut."""
    descends = isinstance(options, FoldOptions) and options.objective != "least-squares"
    return descends or getattr(options, "training", None) is not None


def _check_quantised(decoder: Decoder, options: RepairMethod) -> None:
    doing = f"Repairing by {options.__struct_config__.tag}"
    if isinstance(options, FoldOptions | PartialOptions | ReplacementBlockOptions):
        decoder.require_plain_weights(doing)
    if getattr(options, "training", None) is not None:
        decoder.require_gradients(doing)


def _written_notes(base: Base) -> tuple[str, ...]:
    written = base.corpus.info.written
    if written is None:
        return ()
    own = written.weights == base.decoder.source.weights_digest
    who = "this model itself" if own else f"another model ({written.weights[:12]})"
    how = f"temperature {written.temperature:g}, seed {written.seed}" if written.temperature else "greedily"
    return (
        f"the corpus was written by {who}, {how}: {written.tokens:,} of its {base.corpus.tokens:,} tokens",
    )


def fit(base: Base, options: RepairMethod, on_point: OnPoint, job: Job) -> Fitted:
    match options:
        case EmulatedUpdateOptions():
            return fit_emulated_update(options, base, job)
        case BiasOptions():
            return fit_bias(options, on_point, base, job)
        case LowRankOptions():
            return fit_low_rank(options, on_point, base, job)
        case FoldOptions():
            return fit_fold(options, base, job)
        case PatchOptions():
            return fit_patch(options, on_point, base, job)
        case ScaleOptions():
            return fit_scale(options, base, job)
        case ReplacementBlockOptions():
            return fit_replacement_block(options, on_point, base, job)
        case LoraOptions():
            return fit_lora(options, on_point, base, job)
        case PartialOptions():
            return fit_partial(options, on_point, base, job)
        case _:
            assert_never(options)


def _settings(options: RepairMethod) -> str:
    """What the method was told, as JSON, as far as it determines the tensors."""
    told = to_builtins(options)
    for name in WITHOUT_EFFECT:
        (told.get("training") or {}).pop(name, None)
    return json.dumps(told)


def repair_info(decoder: Decoder, repair: Repair) -> RepairInfo:
    return RepairInfo(
        method=repair.method,
        removed=tuple(map(str, repair.removed)),
        parameters=added_parameters(decoder, repair),
        digest=repair.digest,
        base=repair.base,
    )
