from __future__ import annotations

import time
from pathlib import Path

from depthkit_worker.contract.wire import ExportedFile, ExportHuggingfaceParams, ExportHuggingfaceResult
from depthkit_worker.export.huggingface import ExportOptions, export_huggingface
from depthkit_worker.handlers.sources import subnetwork_of
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def huggingface(session: Session, params: ExportHuggingfaceParams, call: Call) -> ExportHuggingfaceResult:
    started = time.monotonic()
    subnetwork = subnetwork_of(session, params)
    options = ExportOptions(overwrite=params.overwrite, dtype=params.dtype, method_note=params.note)
    result = export_huggingface(subnetwork, Path(params.target), options, call)
    return ExportHuggingfaceResult(
        folder=str(result.folder),
        layout=result.layout,
        removed=tuple(str(unit) for unit in result.removed),
        kept_blocks=result.kept_blocks,
        files=tuple(ExportedFile(name=file.name, bytes=file.bytes, sha256=file.sha256) for file in result.files),
        weights_digest=result.weights_digest,
        parameters_before=result.parameters_before,
        parameters_after=result.parameters_after,
        weight_bytes_before=result.weight_bytes_before,
        weight_bytes_after=result.weight_bytes_after,
        kv_bytes_per_token_before=result.kv_bytes_per_token_before,
        kv_bytes_per_token_after=result.kv_bytes_per_token_after,
        dtype=result.dtype,
        max_logit_difference=result.max_logit_difference,
        notes=result.notes,
        warnings=result.warnings,
        seconds=time.monotonic() - started,
    )
