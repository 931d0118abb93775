"""Whether a subnetwork can be exported, and which one nearby can: the same answers as the exports' own. And
what is refused whatever else goes, so that a search can choose among what is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from depthkit_worker.contract.wire import (
    ExportCanExportResult,
    ExportFormat,
    ExportLimits,
    ExportNearest,
    ExportRefusedUnit,
    RepairMethod,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.block_places import places_of
from depthkit_worker.export.depthkit_form import layers_of
from depthkit_worker.export.folding import plan_folds
from depthkit_worker.export.gguf.plan import goes_by_number, plan_gguf
from depthkit_worker.export.onnx.plan import onnx_fault
from depthkit_worker.export.quantised import quantised_fault
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.own_layout.modelling_text import modelling_text
from depthkit_worker.models.units import Parts, Unit, units_of
from depthkit_worker.repair.stand_in import stand_in
from depthkit_worker.subnetworks.subnetwork import Subnetwork

Fault = Callable[[Subnetwork], str | None]


def export_limits(
    decoder: Decoder, format_: ExportFormat, units: Sequence[Unit], repairs: Sequence[RepairMethod]
) -> ExportLimits:
    """What `format_` does not hold the model without, `repairs` in place on top of each other."""
    found = ((unit, _limit(decoder, format_, unit, repairs)) for unit in units)
    return ExportLimits(
        refused=tuple(
            ExportRefusedUnit(unit=str(unit), reason=reason) for unit, reason in found if reason is not None
        ),
        keeps_pattern=format_ == "gguf" and goes_by_number(decoder),
    )


def _limit(
    decoder: Decoder, format_: ExportFormat, unit: Unit, repairs: Sequence[RepairMethod]
) -> str | None:
    """Why `format_` does not hold the model without `unit`, the order of its blocks apart."""
    try:
        placed = tuple(stand_in(decoder, unit, options, number) for number, options in enumerate(repairs))
        subnetwork = Subnetwork(decoder, (unit,), placed)
    except DepthkitError:
        return None  # The method does not apply there, which fitting it says.
    return fault_of(subnetwork, format_, in_any_order=True)


def can_export(subnetwork: Subnetwork, format_: ExportFormat) -> ExportCanExportResult:
    reason = fault_of(subnetwork, format_)
    if reason is None:
        return ExportCanExportResult(possible=True, reason=None, nearest=None)
    near = next((one for one in _near(subnetwork) if fault_of(one, format_) is None), None)
    nearest = (
        None
        if near is None
        else ExportNearest(
            removed=tuple(map(str, near.shortest_units)), repairs=tuple(one.method for one in near.repairs)
        )
    )
    return ExportCanExportResult(possible=False, reason=reason, nearest=nearest)


def fault_of(subnetwork: Subnetwork, format_: ExportFormat, *, in_any_order: bool = False) -> str | None:
    """Why `format_` does not hold `subnetwork`; None where it does. `in_any_order`: as if no software took a
    block's kind from its number."""
    faults: Mapping[ExportFormat, Fault] = {
        "huggingface": _huggingface_fault,
        "gguf": partial(_gguf_fault, in_any_order=in_any_order),
        "onnx": _onnx_fault,
    }
    if subnetwork.decoder.source.quantisation is not None:
        return quantised_fault(subnetwork, format_)
    try:
        return faults[format_](subnetwork)
    except DepthkitError as error:
        if error.code != "EXPORT_UNSUPPORTED":
            raise
        return error.message


def _gguf_fault(subnetwork: Subnetwork, in_any_order: bool) -> str | None:
    plan = plan_gguf(subnetwork, in_any_order=in_any_order)
    return plan if isinstance(plan, str) else None


def _onnx_fault(subnetwork: Subnetwork) -> str | None:
    """The graph is made of a checkpoint, so there must be one."""
    return _huggingface_fault(subnetwork) or onnx_fault(subnetwork)


def _huggingface_fault(subnetwork: Subnetwork) -> str | None:
    """Why neither a plain checkpoint nor depthkit's own form holds `subnetwork`."""
    decoder, places = subnetwork.decoder, places_of(subnetwork)
    if not any(place.block is not None for place in places):
        return "every block is removed: there is no model left to export"
    if not isinstance(plan_folds(decoder, places), str):
        return None
    layers_of(places)
    modelling_text(decoder)
    return None


def _near(subnetwork: Subnetwork) -> Iterator[Subnetwork]:
    """Subnetworks like it, the most alike first."""
    yield from _with_fewer_repairs(subnetwork, subnetwork.units)
    lost, depth = subnetwork.lost, subnetwork.decoder.depth
    attentions = [index for index in range(depth) if Parts.ATTENTION in lost[index]]
    if len(attentions) == depth:
        kept = [part & ~Parts.ATTENTION if index == depth - 1 else part for index, part in enumerate(lost)]
        yield from _with_fewer_repairs(subnetwork, units_of(kept))
    blocks = [index for index in range(depth) if lost[index] is Parts.BOTH]
    yield from _with_fewer_repairs(subnetwork, _units(blocks))
    pattern = subnetwork.decoder.pattern
    for removed in [] if pattern is None else pattern.nearest(blocks, 1):
        yield from _with_fewer_repairs(subnetwork, _units(removed))
    yield Subnetwork(subnetwork.decoder)


def _with_fewer_repairs(subnetwork: Subnetwork, units: tuple[Unit, ...]) -> Iterator[Subnetwork]:
    """Without `units`: with all repairs that can stay, then without one of them, then without any."""
    repairs = subnetwork.repairs
    without_one = [(*repairs[:at], *repairs[at + 1 :]) for at in range(len(repairs))]
    for left in dict.fromkeys([repairs, *without_one, ()]):
        try:
            yield Subnetwork(subnetwork.decoder, units, left)
        except DepthkitError:  # A repair of what is not removed any more.
            continue


def _units(blocks: list[int] | tuple[int, ...]) -> tuple[Unit, ...]:
    return tuple(Unit("block", index) for index in blocks)
