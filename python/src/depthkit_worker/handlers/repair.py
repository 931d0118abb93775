from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

import msgspec

from depthkit_worker.contract import wire
from depthkit_worker.contract.wire import (
    Empty,
    RepairFitParams,
    RepairFitResult,
    RepairInfo,
    RepairLoadParams,
    RepairLoadResult,
    RepairSaveParams,
    RepairSaveResult,
    RepairUnloadParams,
)
from depthkit_worker.handlers.repair_methods import Method, fit_of
from depthkit_worker.handlers.sources import check_tokenizer, subnetwork_of
from depthkit_worker.memory.allocator import give_back
from depthkit_worker.memory.peaks import PeakMemory
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.repair.fitting import Base, GapFit
from depthkit_worker.repair.repair import Repair
from depthkit_worker.repair.storage import added_parameters, load_repairs, make_repair, save_repairs
from depthkit_worker.repair.training.report import TrainingPoint, TrainingReport
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session

WITHOUT_EFFECT = ("folder", "saveEvery")
"""Of a training's settings: where and how often its checkpoints are written."""


def fit(session: Session, params: RepairFitParams, call: Call) -> RepairFitResult:
    started = time.monotonic()
    subnetwork = subnetwork_of(session, params)
    corpus = session.corpora.get(params.corpus)
    decoder = subnetwork.decoder
    check_tokenizer(corpus, decoder)
    base = Base(subnetwork, corpus, params.skip_tokens, params.batch_size)
    method = fit_of(params.method, lambda point: call.part(_point(point)))
    memory = PeakMemory(decoder.device)
    before = weights_checksum(decoder)
    fitted = method(base, call)
    unchanged = weights_checksum(decoder) == before
    settings = _settings(params.method)
    kind = str(params.method.__struct_config__.tag)
    repairs = [make_repair(decoder, kind, fill.removed, fill.edits, settings, fill.base) for fill in fitted.fills]
    return RepairFitResult(
        repairs=[_info(session, params.model, repair) for repair in repairs],
        gaps=[_gap(gap) for gap in fitted.gaps],
        training=None if fitted.training is None else _training(fitted.training),
        sequences=corpus.sequences,
        tokens=corpus.tokens,
        skip_tokens=params.skip_tokens,
        weights_unchanged=unchanged,
        peak_bytes=memory.bytes(),
        notes=list(fitted.notes),
        seconds=time.monotonic() - started,
    )


def save(session: Session, params: RepairSaveParams, call: Call) -> RepairSaveResult:
    subnetwork = subnetwork_of(session, params)
    folder = Path(params.folder)
    size = save_repairs(subnetwork, folder, params.overwrite)
    return RepairSaveResult(folder=str(folder), bytes=size)


def load(session: Session, params: RepairLoadParams, call: Call) -> RepairLoadResult:
    loaded = load_repairs(session.models.get(params.model), Path(params.folder))
    return RepairLoadResult(
        removed=[str(unit) for unit in loaded.units],
        repairs=[_info(session, params.model, repair) for repair in loaded.repairs],
    )


def unload(session: Session, params: RepairUnloadParams, call: Call) -> Empty:
    repair = session.repairs.drop(params.repair)
    devices = {parameter.device for module in repair.modules for parameter in module.parameters()}
    del repair
    for device in devices:
        give_back(device)
    return Empty()


def _settings(method: Method) -> str:
    """What the method was told, as JSON, as far as it determines the tensors."""
    told = msgspec.to_builtins(method)
    for name in WITHOUT_EFFECT:
        (told.get("training") or {}).pop(name, None)
    return json.dumps(told)


def _info(session: Session, model: str, repair: Repair) -> RepairInfo:
    return RepairInfo(
        repair=session.repairs.add(repair, owner=model),
        method=repair.method,
        removed=[str(unit) for unit in repair.removed],
        parameters=added_parameters(repair),
        digest=repair.digest,
        base=list(repair.base),
    )


def _gap(gap: GapFit) -> wire.GapError:
    return wire.GapError(**{**dataclasses.asdict(gap), "removed": [str(unit) for unit in gap.removed]})


def _point(point: TrainingPoint) -> wire.TrainingPoint:
    return wire.TrainingPoint(**dataclasses.asdict(point))


def _training(report: TrainingReport) -> wire.TrainingReport:
    return wire.TrainingReport(
        trained=report.trained,
        steps=report.steps,
        best_step=report.best_step,
        tokens=report.tokens,
        stopped=report.stopped,
        resumed_from=report.resumed_from,
        skipped_checkpoints=list(report.skipped_checkpoints),
        change=report.change,
        points=[_point(point) for point in report.points],
    )
