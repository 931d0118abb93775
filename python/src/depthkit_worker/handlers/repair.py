from __future__ import annotations

from pathlib import Path

from depthkit_worker.contract.wire import (
    Empty,
    RepairFitParams,
    RepairFitResult,
    RepairLoadParams,
    RepairLoadResult,
    RepairSaveParams,
    RepairSaveResult,
    RepairUnloadParams,
)
from depthkit_worker.handlers.sources import check_tokenizer, subnetwork_of
from depthkit_worker.repair.fitting import Base
from depthkit_worker.repair.methods import fit_repairs, repair_info
from depthkit_worker.repair.storage import load_repairs, save_repairs
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def fit(session: Session, params: RepairFitParams, call: Call) -> RepairFitResult:
    subnetwork, corpus = subnetwork_of(session, params), session.corpora.get(params.corpus)
    check_tokenizer(corpus, subnetwork.decoder)
    repairs, report = fit_repairs(Base(subnetwork, corpus, params), params.repair, call.part, call)
    return RepairFitResult(repairs=tuple(map(session.repairs.add, repairs)), report=report)


def save(session: Session, params: RepairSaveParams, call: Call) -> RepairSaveResult:
    folder = Path(params.folder)
    size = save_repairs(subnetwork_of(session, params), folder, params)
    return RepairSaveResult(folder=str(folder), bytes=size)


def load(session: Session, params: RepairLoadParams, call: Call) -> RepairLoadResult:
    loaded = load_repairs(session.models.get(params.model), Path(params.folder))
    return RepairLoadResult(
        removed=tuple(map(str, loaded.units)),
        repairs=tuple(map(session.repairs.add, loaded.repairs)),
        infos=tuple(map(repair_info, loaded.repairs)),
    )


def unload(session: Session, params: RepairUnloadParams, call: Call) -> Empty:
    for handle in params.repairs:
        session.repairs.drop(handle)
    return Empty()
