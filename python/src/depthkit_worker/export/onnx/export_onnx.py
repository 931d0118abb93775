"""A subnetwork as ONNX graphs with their cache, for onnxruntime and transformers.js.

By way of a Hugging Face checkpoint, plain or in depthkit's own form, beside the target for the time of the
export. The exporter makes a graph of it in an environment of its own; each graph then answers in onnxruntime,
as it was written, what the subnetwork in memory says.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from depthkit_worker.contract.wire import (
    ExportedFile,
    ExportHuggingfaceResult,
    ExportOnnxResult,
    ExportOptions,
    ExportProvenance,
    OnnxDtype,
    OnnxGraph,
    OnnxOptions,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.block_places import places_of
from depthkit_worker.export.can_export import fault_of
from depthkit_worker.export.huggingface import export_huggingface
from depthkit_worker.export.onnx.bounds import check_answers, warnings_of
from depthkit_worker.export.onnx.card import onnx_card
from depthkit_worker.export.onnx.check_onnx import measured
from depthkit_worker.export.onnx.environment import onnx_python
from depthkit_worker.export.onnx.files import GRAPHS, graph_name
from depthkit_worker.export.provenance import (
    Made,
    copy_licenses,
    provenance_beside,
    provenance_of,
)
from depthkit_worker.export.provenance_file import write_provenance
from depthkit_worker.export.reference_file import FILE as REFERENCE
from depthkit_worker.models.child import run_child
from depthkit_worker.models.folders import files_in, sha256_of_files
from depthkit_worker.models.partial_folders import PartialFolder, partial_folder
from depthkit_worker.models.target import check_room, check_target
from depthkit_worker.models.told_when_full import told_when_full
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.subnetwork import Subnetwork

CONVERT = "depthkit_worker.export.onnx.convert"
FP32_BYTES = 4
WIDEST: OnnxDtype = "fp32"
TOKENS = (
    "tokenizer.json, which transformers.js reads, splits texts otherwise than the model's own tokenizer: "
    "give the graphs the tokens of that."
)


@dataclass(frozen=True)
class _Settled:
    """All that is settled before anything is written."""

    subnetwork: Subnetwork
    target: Path
    options: OnnxOptions
    python: Path


def export_onnx(subnetwork: Subnetwork, target: Path, options: OnnxOptions, job: Job) -> ExportOnnxResult:
    """Write `subnetwork` to the folder `target`, whole or not at all. The live model is not touched."""
    started = time.monotonic()
    settled = _settle(subnetwork, target, options)
    with told_when_full(f"Writing {settled.target}"), partial_folder(settled.target) as prepared:
        result = _write(settled, prepared, job)
        prepared.put_in_place(job)
    return replace(result, seconds=time.monotonic() - started)


def _settle(subnetwork: Subnetwork, target: Path, options: OnnxOptions) -> _Settled:
    if len(set(options.dtypes)) < len(options.dtypes):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Exporting to ONNX: dtypes names one twice ({', '.join(options.dtypes)}). Name each once.",
        )
    if not any(place.block is not None for place in places_of(subnetwork)):
        raise DepthkitError("INVALID_ARGUMENT", "Every block is removed: there is no model left to export.")
    fault = fault_of(subnetwork, "onnx")
    if fault is not None:
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"There is no ONNX graph of this subnetwork: {fault}. Nothing was written; canExport names the "
            "nearest one of which there is.",
        )
    decoder = subnetwork.decoder
    target = check_target(target, "export", options.overwrite, decoder.source.folder)
    python = onnx_python("Exporting to ONNX")
    # The checkpoint, the exporter's own graph, one to compare with, and at most as much for each that stays.
    check_room(target, decoder.parameters * FP32_BYTES * (3 + len(options.dtypes)))
    return _Settled(subnetwork, target, options, python)


def _write(settled: _Settled, prepared: PartialFolder, job: Job) -> ExportOnnxResult:
    subnetwork, options, new = settled.subnetwork, settled.options, prepared.new
    checkpoint = prepared.folder / "checkpoint"
    between = export_huggingface(
        subnetwork, checkpoint, ExportOptions(dtype="float32", note=options.note), job
    )
    arguments = ["--checkpoint", str(checkpoint), "--out", str(new), "--stop-with-parent"]
    # The widest graph is what the others are held to, whether it stays or not.
    dtypes = tuple(dict.fromkeys((WIDEST, *options.dtypes)))
    made = run_child(CONVERT, [*arguments, "--dtypes", *dtypes], job, python=settled.python)
    shutil.copyfile(checkpoint / REFERENCE, new / REFERENCE)
    answers = measured(new, dtypes, settled.python, job, rounding=True)
    written = {dtype: _graph(new, dtype, found) for dtype, found in zip(dtypes, answers, strict=True)}
    for graph in written.values():
        check_answers(graph)
    if WIDEST not in options.dtypes:
        for path in _paths(new, WIDEST):
            path.unlink()
    graphs = tuple(written[dtype] for dtype in options.dtypes)
    told = () if answers[0]["sameTokens"] is not False else (TOKENS,)
    result = _result(settled, between, made, graphs, told, job, new)
    provenance = _provenance(settled, result)
    write_provenance(provenance, new)
    copy_licenses(subnetwork.decoder, new)
    (new / "README.md").write_text(onnx_card(subnetwork, result, provenance), encoding="utf-8")
    return replace(result, files=_files(new, job))


def _graph(folder: Path, dtype: str, found: dict[str, Any]) -> OnnxGraph:
    answers = {key: value for key, value in found.items() if key not in ("runtime", "seconds", "sameTokens")}
    return msgspec.convert(
        {
            "dtype": dtype,
            "file": f"{GRAPHS}/{graph_name(dtype)}",
            "bytes": sum(path.stat().st_size for path in _paths(folder, dtype)),
            **answers,
        },
        OnnxGraph,
    )


def _paths(folder: Path, dtype: str) -> list[Path]:
    """The graph's file, and the one with its weights where they lie beside it."""
    name = graph_name(dtype)
    return [path for one in (name, f"{name}_data") if (path := folder / GRAPHS / one).is_file()]


def _result(
    settled: _Settled,
    between: ExportHuggingfaceResult,
    made: dict[str, Any],
    graphs: tuple[OnnxGraph, ...],
    told: tuple[str, ...],
    job: Job,
    folder: Path,
) -> ExportOnnxResult:
    weights = [path for _, path in files_in(folder / GRAPHS)]
    return ExportOnnxResult(
        folder=str(settled.target),
        model_type=made["modelType"],
        layers=made["layers"],
        removed=between.removed,
        kept_blocks=between.kept_blocks,
        files=(),
        weights_digest=sha256_of_files(weights, job.check),
        graphs=graphs,
        parameters_before=between.parameters_before,
        parameters_after=between.parameters_after,
        notes=_notes(between),
        warnings=(*between.warnings, *(text for graph in graphs for text in warnings_of(graph)), *told),
        seconds=0.0,
    )


def _notes(between: ExportHuggingfaceResult) -> tuple[str, ...]:
    if between.layout == "plain":
        return ()
    return (
        "The graph holds what depthkit's own form says, and has one cache per kept attention: it needs no "
        "code of its own, and is taken for a model of its family.",
    )


def _provenance(settled: _Settled, result: ExportOnnxResult) -> ExportProvenance:
    dtypes = "+".join(settled.options.dtypes)
    made = Made(result.removed, result.kept_blocks, "onnx", dtypes, result.weights_digest)
    subnetwork = settled.subnetwork
    return provenance_of(subnetwork, made, settled.options.note, provenance_beside(subnetwork.decoder))


def _files(folder: Path, job: Job) -> Sequence[ExportedFile]:
    return tuple(
        ExportedFile(name=name, bytes=path.stat().st_size, sha256=sha256_of_files([path], job.check))
        for name, path in files_in(folder)
    )
