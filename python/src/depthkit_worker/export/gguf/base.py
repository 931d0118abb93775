"""The GGUF file that a model was made from, found again and told by its digest."""

from __future__ import annotations

from pathlib import Path

import gguf

from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.gguf.plan import GgufPlan
from depthkit_worker.models.bundled import BUNDLED, bundled_gguf
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.folders import sha256_of_files
from depthkit_worker.models.gguf_header import gguf_fault
from depthkit_worker.session.job import Job


def find_base(plan: GgufPlan, decoder: Decoder, given: Path | None, job: Job) -> Path | None:
    """The base file; None where the model did not come from one. The file given, or found, must be that one:
    another of the same model has other weights."""
    if plan.from_gguf is None:
        if given is not None:
            raise DepthkitError(
                "INVALID_ARGUMENT",
                f"The base {given} was given, and the model {decoder.source.name} was not loaded from a GGUF "
                "file, so nothing says that both have the same weights. Load the model from that file, or "
                "leave the base out: then the checkpoint is converted.",
                base=str(given),
            )
        return None
    path = given if given is not None else _usual_place(decoder)
    if not path.is_file():
        again = "Run `npx depthkit setup`" if decoder.source.name in BUNDLED else "Put it back"
        raise DepthkitError(
            "FILE_NOT_FOUND",
            f"Exporting to GGUF: the file that {decoder.source.name} was made from is not at {path}. "
            f"{again}, or name it as the base.",
            path=str(path),
        )
    if (fault := gguf_fault(path)) is not None:
        raise DepthkitError("MODEL_INVALID", f"The base {path} cannot be read: {fault}.", path=str(path))
    digest = sha256_of_files([path], job.check)
    if digest != plan.from_gguf:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The base {path} has the sha256 {digest}, and the model was made from the file with "
            f"{plan.from_gguf}. Name that file, or load the model from this one.",
            base=str(path),
            sha256=digest,
            expected=plan.from_gguf,
        )
    return path


def _usual_place(decoder: Decoder) -> Path:
    source = decoder.source
    if source.name in BUNDLED:
        assert source.folder is not None
        return bundled_gguf(source.folder)
    # A converted folder that was loaded by its own path names no file; nothing is at this one either.
    return Path(source.name)


def open_base(path: Path, plan: GgufPlan) -> gguf.GGUFReader:
    reader = gguf.GGUFReader(path)
    field = reader.get_field("general.architecture")
    name = None if field is None else field.contents()
    if name != plan.architecture.name:
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"The base {path} is of arch {name}, and a {plan.architecture.name} was expected of this model.",
            architecture=name,
        )
    split = reader.get_field("split.count")
    if split is not None and split.contents() > 1:
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"The base {path} is one of {split.contents()} parts. Join them with llama-gguf-split --merge, "
            "and load the model from the whole.",
        )
    return reader
