from __future__ import annotations

from pathlib import Path

from depthkit_worker.contract.wire import ExportHuggingfaceParams, ExportHuggingfaceResult
from depthkit_worker.export.huggingface import export_huggingface
from depthkit_worker.handlers.files import note_written
from depthkit_worker.handlers.sources import subnetwork_of
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def huggingface(session: Session, params: ExportHuggingfaceParams, call: Call) -> ExportHuggingfaceResult:
    result = export_huggingface(subnetwork_of(session, params), Path(params.target), params, call)
    note_written(session, Path(params.target))
    return result
