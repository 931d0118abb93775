from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from depthkit_worker.contract.wire import (
    Empty,
    RepairFitParams,
    RepairFitResult,
    RepairLoadParams,
    RepairLoadResult,
    RepairMethod,
    RepairReport,
    RepairSaveParams,
    RepairSaveResult,
    RepairUnloadParams,
)
from depthkit_worker.handlers.files import note_written
from depthkit_worker.handlers.sources import check_readable, subnetwork_of
from depthkit_worker.memory.allocator import give_back
from depthkit_worker.models.adapter_files import is_adapter
from depthkit_worker.repair.apart import gaps_apart
from depthkit_worker.repair.fitting import Base
from depthkit_worker.repair.methods import fit_repairs, repair_info, takes_steps
from depthkit_worker.repair.peft_adapter import adapter_as_repair
from depthkit_worker.repair.repair import Repair
from depthkit_worker.repair.storage import load_repairs, save_repairs
from depthkit_worker.repair.training.report import OnPoint
from depthkit_worker.session.away import Away
from depthkit_worker.session.call import Call
from depthkit_worker.session.job import Job
from depthkit_worker.session.session import Session

Fitter = Callable[[Base, RepairMethod, OnPoint, Job], tuple[tuple[Repair, ...], RepairReport]]


def fit(session: Session, params: RepairFitParams, call: Call) -> RepairFitResult | Away:
    subnetwork, corpus = subnetwork_of(session, params), session.corpora.get(params.corpus)
    check_readable(corpus, subnetwork.decoder)
    apart = gaps_apart(subnetwork.decoder, params)
    hands = None if session.cluster is None else session.cluster.hands
    base = Base(subnetwork, corpus, params, apart, hands)

    def result(fitter: Fitter) -> RepairFitResult:
        repairs, report = fitter(base, params.repair, call.part, call)
        return RepairFitResult(repairs=_held(session, params.model, repairs), report=report)

    if session.cluster is None or not takes_steps(params.repair):
        return result(fit_repairs)
    return Away(params.model, partial(result, session.cluster.fitter(subnetwork.decoder).fit_repairs))


def save(session: Session, params: RepairSaveParams, call: Call) -> RepairSaveResult:
    folder = Path(params.folder)
    size = save_repairs(subnetwork_of(session, params), folder, params, call)
    note_written(session, folder)
    return RepairSaveResult(folder=str(folder), bytes=size)


def load(session: Session, params: RepairLoadParams, call: Call) -> RepairLoadResult:
    decoder = session.models.get(params.model)
    folder = Path(params.folder)
    loaded = adapter_as_repair(decoder, folder) if is_adapter(folder) else load_repairs(decoder, folder)
    return RepairLoadResult(
        removed=tuple(map(str, loaded.units)),
        repairs=_held(session, params.model, loaded.repairs),
        infos=tuple(repair_info(decoder, repair) for repair in loaded.repairs),
    )


def unload(session: Session, params: RepairUnloadParams, call: Call) -> Empty:
    dropped = [session.repairs.drop(handle) for handle in params.repairs]
    devices = {
        tensor.device for repair in dropped for module in repair.modules for tensor in module.parameters()
    }
    del dropped
    for device in devices:
        give_back(device)
    return Empty()


def _held(session: Session, model: str, repairs: Iterable[Repair]) -> tuple[str, ...]:
    """Their handles, given up with the model they were made for."""
    return tuple(session.repairs.add(repair, owner=model) for repair in repairs)
