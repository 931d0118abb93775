from __future__ import annotations

import dataclasses
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
    RepairReport,
    RepairSaveParams,
    RepairSaveResult,
    RepairUnloadParams,
)
from depthkit_worker.handlers.repair_methods import fit_of
from depthkit_worker.handlers.sources import check_tokenizer, subnetwork_of
from depthkit_worker.memory.peaks import PeakMemory
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.repair.chosen import chosen
from depthkit_worker.repair.fitting import Base, GapFit
from depthkit_worker.repair.repair import Repair
from depthkit_worker.repair.storage import added_parameters, load_repairs, make_repair, save_repairs
from depthkit_worker.repair.training.report import TrainingPoint, TrainingReport
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def fit(session: Session, params: RepairFitParams, call: Call) -> RepairFitResult:
    started = time.monotonic()
    subnetwork = subnetwork_of(session, params)
    corpus = session.corpora.get(params.corpus)
    decoder = subnetwork.decoder
    check_tokenizer(corpus, decoder)
    base = Base(subnetwork, corpus, params.skip_tokens, params.batch_size)
    options = chosen(params.repair, corpus.sequences)
    method = fit_of(options, lambda point: call.part(_point(point)))
    memory = PeakMemory(decoder.device)
    before = weights_checksum(decoder)
    fitted = method(base, call)
    unchanged = weights_checksum(decoder) == before
    settings = msgspec.json.encode(options).decode()
    kind = str(options.__struct_config__.tag)
    repairs = [make_repair(decoder, kind, fill.removed, fill.edits, settings, fill.base) for fill in fitted.fills]
    report = RepairReport(
        repairs=tuple(map(_info, repairs)),
        gaps=tuple(map(_gap, fitted.gaps)),
        training=None if fitted.training is None else _training(fitted.training),
        sequences=corpus.sequences,
        tokens=corpus.tokens,
        skip_tokens=params.skip_tokens,
        weights_unchanged=unchanged,
        peak_bytes=memory.bytes(),
        notes=fitted.notes,
        seconds=time.monotonic() - started,
    )
    return RepairFitResult(repairs=tuple(map(session.repairs.add, repairs)), report=report)


def save(session: Session, params: RepairSaveParams, call: Call) -> RepairSaveResult:
    subnetwork = subnetwork_of(session, params)
    folder = Path(params.folder)
    size = save_repairs(subnetwork, folder, params.overwrite)
    return RepairSaveResult(folder=str(folder), bytes=size)


def load(session: Session, params: RepairLoadParams, call: Call) -> RepairLoadResult:
    loaded = load_repairs(session.models.get(params.model), Path(params.folder))
    return RepairLoadResult(
        removed=tuple(map(str, loaded.units)),
        repairs=tuple(map(session.repairs.add, loaded.repairs)),
        infos=tuple(map(_info, loaded.repairs)),
    )


def unload(session: Session, params: RepairUnloadParams, call: Call) -> Empty:
    for handle in params.repairs:
        session.repairs.drop(handle)
    return Empty()


def _info(repair: Repair) -> RepairInfo:
    return RepairInfo(
        method=repair.method,
        removed=tuple(map(str, repair.removed)),
        parameters=added_parameters(repair),
        digest=repair.digest,
        base=repair.base,
    )


def _gap(gap: GapFit) -> wire.GapError:
    return wire.GapError(**{**dataclasses.asdict(gap), "removed": tuple(map(str, gap.removed))})


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
        skipped_checkpoints=report.skipped_checkpoints,
        change=report.change,
        points=tuple(map(_point, report.points)),
    )
