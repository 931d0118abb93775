"""What lies beside an exported model's weights and tells of them: provenance, reference, licences, card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import replace

from depthkit_worker.contract.wire import ExportedFile, ExportHuggingfaceResult
from depthkit_worker.export.card import model_card
from depthkit_worker.export.provenance import (
    Made,
    copy_licenses,
    provenance_beside,
    provenance_of,
)
from depthkit_worker.export.provenance_file import write_provenance
from depthkit_worker.export.reference import reference_of
from depthkit_worker.export.reference_file import write_reference
from depthkit_worker.models.folders import files_in, sha256_of_files
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.subnetwork import Subnetwork


def write_about(
    subnetwork: Subnetwork,
    result: ExportHuggingfaceResult,
    folder: Path,
    note: str,
    layers: int,
    job: Job,
    replaced: Sequence[int] = (),
) -> ExportHuggingfaceResult:
    """Write it into `folder`, which has all the rest; the result with the files that there are then.
    `layers`: of the checkpoint; `replaced`: blocks in whose place another one runs."""
    decoder = subnetwork.decoder
    made = Made(
        result.removed,
        result.kept_blocks,
        result.layout,
        result.dtype,
        result.weights_digest,
        result.adapter_digest,
    )
    provenance = provenance_of(subnetwork, made, note, provenance_beside(decoder))
    write_reference(reference_of(subnetwork, job), folder)
    write_provenance(provenance, folder)
    copy_licenses(decoder, folder)
    card = model_card(subnetwork, result, provenance, replaced=replaced, layers=layers)
    (folder / "README.md").write_text(card, encoding="utf-8")
    files = tuple(
        ExportedFile(name=name, bytes=path.stat().st_size, sha256=sha256_of_files([path], job.check))
        for name, path in files_in(folder)
    )
    return replace(result, files=files)
