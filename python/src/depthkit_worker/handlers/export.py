from __future__ import annotations

from pathlib import Path

from depthkit_worker.contract.wire import (
    ExportCanExportParams,
    ExportCanExportResult,
    ExportCheckParams,
    ExportCheckResult,
    ExportGgufParams,
    ExportGgufResult,
    ExportHuggingfaceParams,
    ExportHuggingfaceResult,
    ExportLimits,
    ExportLimitsParams,
    ExportOnnxParams,
    ExportOnnxResult,
)
from depthkit_worker.export import can_export as asking
from depthkit_worker.export.check_checkpoint import check_checkpoint
from depthkit_worker.export.gguf.export_gguf import export_gguf
from depthkit_worker.export.huggingface import export_huggingface
from depthkit_worker.export.onnx.check_onnx import check_onnx, is_onnx
from depthkit_worker.export.onnx.export_onnx import export_onnx
from depthkit_worker.handlers.files import note_file_written, note_written
from depthkit_worker.handlers.sources import parse_units, subnetwork_of
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def huggingface(session: Session, params: ExportHuggingfaceParams, call: Call) -> ExportHuggingfaceResult:
    result = export_huggingface(subnetwork_of(session, params), Path(params.target), params, call)
    note_written(session, Path(params.target))
    return result


def gguf(session: Session, params: ExportGgufParams, call: Call) -> ExportGgufResult:
    result = export_gguf(subnetwork_of(session, params), Path(params.target), params, call)
    note_file_written(session, Path(params.target))
    return result


def onnx(session: Session, params: ExportOnnxParams, call: Call) -> ExportOnnxResult:
    result = export_onnx(subnetwork_of(session, params), Path(params.target), params, call)
    note_written(session, Path(params.target))
    return result


def can_export(session: Session, params: ExportCanExportParams, call: Call) -> ExportCanExportResult:
    return asking.can_export(subnetwork_of(session, params), params.format)


def limits(session: Session, params: ExportLimitsParams, call: Call) -> ExportLimits:
    decoder = session.models.get(params.model)
    return asking.export_limits(decoder, params.format, parse_units(params.units), params.repairs)


def check(session: Session, params: ExportCheckParams, call: Call) -> ExportCheckResult:
    return check_onnx(params, call) if is_onnx(Path(params.folder)) else check_checkpoint(params, call)
