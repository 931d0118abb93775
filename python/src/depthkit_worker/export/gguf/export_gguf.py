"""A subnetwork as a GGUF file, which llama.cpp and what is built on it load.

From the GGUF file that the model was made from: metadata and tensors are copied as they are and renumbered,
so that nothing is quantised again; what a repair changed is written beside them. From a checkpoint of Llama's
shape without one: converted.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import gguf
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFValueType as Type
from msgspec.structs import replace

from depthkit_worker.contract.json_files import to_json
from depthkit_worker.contract.wire import ExportGgufResult, ExportProvenance, GgufOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.gguf.architectures import DECI
from depthkit_worker.export.gguf.base import find_base, open_base
from depthkit_worker.export.gguf.metadata import REFERENCE, Value, metadata_of
from depthkit_worker.export.gguf.plan import GgufPlan, plan_gguf
from depthkit_worker.export.gguf.stored import KINDS, UNQUANTISED, Stored, base_tensors
from depthkit_worker.export.gguf.tensors import Writing, tensors_of
from depthkit_worker.export.gguf.write import FILE_TYPES, Content, kind_of, size_of, write_file
from depthkit_worker.export.provenance import Made, provenance_beside, provenance_of
from depthkit_worker.export.provenance_file import read_provenance
from depthkit_worker.export.reference import reference_of
from depthkit_worker.models.cancellable import calls_obey
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.folders import sha256_of_files
from depthkit_worker.models.gguf_header import PROVENANCE
from depthkit_worker.models.kv_cache import kv_bytes_per_attention
from depthkit_worker.models.partial_folders import partial_folder
from depthkit_worker.models.target import check_room, check_target
from depthkit_worker.models.told_when_full import told_when_full
from depthkit_worker.models.units import Parts
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.subnetwork import Subnetwork

CACHE_BYTES = 2
"""Of a number in llama.cpp's cache of keys and values, as it comes."""


@dataclass(frozen=True)
class _Settled:
    """All that is settled before anything is written."""

    subnetwork: Subnetwork
    plan: GgufPlan
    target: Path
    options: GgufOptions
    reader: gguf.GGUFReader | None
    tensors: dict[str, Stored]
    kind: Kind | None
    """Asked for; None: as they are."""


def export_gguf(subnetwork: Subnetwork, target: Path, options: GgufOptions, job: Job) -> ExportGgufResult:
    """Write `subnetwork` to the file `target`, whole or not at all. The live model is not touched."""
    started = time.monotonic()
    settled = _settle(subnetwork, target, options, job)
    with told_when_full(f"Writing {settled.target}"), partial_folder(settled.target) as prepared:
        file = prepared.new / settled.target.name
        result = _write(settled, file, job)
        prepared.put_file_in_place(file, job)
    return replace(result, seconds=time.monotonic() - started)


def _settle(subnetwork: Subnetwork, target: Path, options: GgufOptions, job: Job) -> _Settled:
    plan = plan_gguf(subnetwork)
    if isinstance(plan, str):
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"A GGUF file cannot hold this subnetwork: {plan}. Nothing was written; canExport names the "
            "nearest one that can be.",
        )
    decoder = subnetwork.decoder
    target = check_target(target, "gguf", options.overwrite)
    base = find_base(plan, decoder, None if options.base is None else Path(options.base), job)
    if base is not None and base.resolve() == target:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The target {target} is the base itself. Name another file.",
            target=str(target),
        )
    reader = None if base is None else open_base(base, plan)
    stored = None if reader is None else base_tensors(reader)
    kind = None if options.dtype == "auto" else KINDS[options.dtype]
    tensors = dict(tensors_of(Writing(plan, decoder, stored)))
    _check_kinds(tensors, kind)
    check_room(target, sum(size_of(one, kind_of(one, kind)) for one in tensors.values()))
    return _Settled(subnetwork, plan, target, options, reader, tensors, kind)


def _check_kinds(tensors: dict[str, Stored], kind: Kind | None) -> None:
    if kind is not Kind.Q8_0:
        return
    for name, one in tensors.items():
        if kind_of(one, kind) is not kind:
            continue
        if one.raw is not None and one.kind not in (*UNQUANTISED, kind):
            raise DepthkitError(
                "EXPORT_UNSUPPORTED",
                f"Writing {name} as q8_0: it is stored as {one.kind.name}, and what is quantised is not "
                "quantised again. Leave dtype at auto, or ask for float16 or float32.",
                tensor=name,
            )
        items = gguf.GGML_QUANT_SIZES[kind][0]
        if one.shape[-1] % items:
            raise DepthkitError(
                "EXPORT_UNSUPPORTED",
                f"Writing {name} as q8_0: its rows have {one.shape[-1]} numbers, and {items} share a scale. "
                "Ask for float16 or bfloat16.",
                tensor=name,
            )


def _write(settled: _Settled, file: Path, job: Job) -> ExportGgufResult:
    plan, subnetwork, decoder = settled.plan, settled.subnetwork, settled.subnetwork.decoder
    metadata = metadata_of(plan, decoder, settled.reader)
    most = _most_common(settled)
    if settled.kind is not None or settled.reader is None:
        metadata["general.file_type"] = Value(FILE_TYPES[most], Type.UINT32)
        metadata["general.quantization_version"] = Value(gguf.GGML_QUANT_VERSION, Type.UINT32)
    with calls_obey(job):
        reference = reference_of(subnetwork, job)
    removed = tuple(map(str, subnetwork.shortest_units))
    kept = tuple(index for index, lost in enumerate(subnetwork.lost) if lost is not Parts.BOTH)
    before = _before(settled)

    def provenance(weights: str) -> str:
        made = Made(removed, kept, "gguf", most.name.lower(), weights)
        return to_json(provenance_of(subnetwork, made, settled.options.note, before)).decode()

    metadata[REFERENCE] = Value(to_json(reference).decode(), Type.STRING)
    written = write_file(
        file, Content(plan.written, metadata, settled.tensors, settled.kind), provenance, job
    )
    return ExportGgufResult(
        file=str(settled.target),
        architecture=plan.written,
        removed=removed,
        kept_blocks=kept,
        layers=len(plan.layers),
        bytes=file.stat().st_size,
        sha256=sha256_of_files([file], job.check),
        weights_digest=written.digest,
        base=plan.from_gguf,
        parameters_before=decoder.parameters,
        parameters_after=written.parameters,
        weight_bytes_after=written.bytes,
        kv_bytes_per_token_before=_kv_bytes(decoder, decoder.depth),
        kv_bytes_per_token_after=_kv_bytes(
            decoder, sum(layer.attention is not None for layer in plan.layers)
        ),
        dtype=most.name.lower(),
        notes=_notes(settled),
        warnings=_warnings(settled),
        seconds=0.0,
    )


def _before(settled: _Settled) -> ExportProvenance | None:
    """What the base says of itself, or the checkpoint's folder."""
    if settled.reader is None:
        return provenance_beside(settled.subnetwork.decoder)
    field = settled.reader.get_field(PROVENANCE)
    if field is None:
        return None
    return read_provenance(str(field.contents()).encode(), Path(settled.subnetwork.decoder.source.name))


def _most_common(settled: _Settled) -> Kind:
    """The kind that most of the weights are written as."""
    counts: Counter[Kind] = Counter()
    for one in settled.tensors.values():
        counts[kind_of(one, settled.kind)] += math.prod(one.shape)
    return counts.most_common(1)[0][0]


def _kv_bytes(decoder: Decoder, attentions: int) -> int:
    each = kv_bytes_per_attention(decoder)
    return sum(each) // len(each) * attentions // decoder.dtype.itemsize * CACHE_BYTES


def _notes(settled: _Settled) -> tuple[str, ...]:
    plan = settled.plan
    notes = []
    if settled.reader is not None and settled.kind is None:
        raw = [one for one in settled.tensors.values() if one.raw is not None]
        notes.append(
            f"{len(raw)} of {len(settled.tensors)} tensors are the base's own bytes; nothing was quantised "
            "again."
        )
    if plan.written == DECI:
        notes.append(
            "Written as arch deci, in which a layer may lack a sublayer: llama.cpp and what is built on it "
            "read it. transformers does not, and depthkit does not load it again."
        )
    biased = [number for number, layer in enumerate(plan.layers) if layer.bias is not None]
    if biased:
        notes.append(
            "Constants are output biases of the feed-forwards of these layers: "
            f"{', '.join(map(str, biased))}."
        )
    if plan.changes_entry:
        notes.append("What stands in front of the first block was folded into the embedding.")
    return tuple(notes)


def _warnings(settled: _Settled) -> tuple[str, ...]:
    if settled.tensors and settled.kind is None and settled.reader is not None:
        changed = [
            name
            for name, one in settled.tensors.items()
            if one.raw is None and not one.fixed and one.kind is not Kind.F32
        ]
        if changed:
            return (
                f"{len(changed)} tensors were changed by repairs and are written as 16-bit numbers beside "
                f"those of the base: {', '.join(changed[:3])}{' and more' if len(changed) > 3 else ''}.",
            )
    return ()
