"""A model without the removed blocks as a plain Hugging Face checkpoint.

Stock software loads it: blocks are numbered anew, every per-block entry of the configuration is cut,
tied weights stay tied, and the dtype is the one the source is stored in.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.card import CardFacts, model_card
from depthkit_worker.export.generation_config import PassedOn, generation_settings
from depthkit_worker.export.plain_config import CutConfig, cut_config
from depthkit_worker.export.plain_weights import kept_tensors
from depthkit_worker.export.shards import Written, write_shards
from depthkit_worker.export.target import check_room, check_target
from depthkit_worker.export.text_files import write_generation_settings, write_tokenizer
from depthkit_worker.job import Job
from depthkit_worker.models.compatibility import add_legacy_keys
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.folders import partial_folder, put_in_place, sha256_of_files
from depthkit_worker.models.kv_cache import kv_bytes_per_block
from depthkit_worker.models.load import DtypeChoice
from depthkit_worker.models.units import Parts, Unit, normalise, removed_parts

MAX_SHARD_BYTES = 1 << 30
"""Small enough that a cancel, which is looked for between shards, is obeyed in about a second."""


@dataclass(frozen=True)
class ExportOptions:
    overwrite: bool = False
    """Replace a model's folder that is not empty."""
    dtype: DtypeChoice = "auto"
    """auto: the dtype the source is stored in."""
    max_shard_bytes: int = MAX_SHARD_BYTES
    method_note: str = ""
    """How the units were chosen, for the model card."""


@dataclass(frozen=True)
class ExportedFile:
    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class ExportResult:
    folder: Path
    removed: tuple[Unit, ...]
    kept_blocks: tuple[int, ...]
    """By their old numbers."""
    files: tuple[ExportedFile, ...]
    weights_digest: str
    """sha256 over the weight files, as for a loaded model's source."""
    parameters_before: int
    parameters_after: int
    weight_bytes_before: int
    """In the source's stored dtype."""
    weight_bytes_after: int
    kv_bytes_per_token_before: int
    """A cache in the exported dtype, before and after alike."""
    kv_bytes_per_token_after: int
    dtype: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Plan:
    """All that is settled before anything is written."""

    decoder: Decoder
    units: tuple[Unit, ...]
    kept: tuple[int, ...]
    target: Path
    stored: torch.dtype
    dtype: torch.dtype
    config: CutConfig
    generation: PassedOn
    options: ExportOptions


def export_huggingface(
    decoder: Decoder, units: Iterable[Unit], target: Path, options: ExportOptions, job: Job
) -> ExportResult:
    """Write `decoder` without `units` to the folder `target`, whole or not at all. The live model is
    not touched."""
    plan = _plan(decoder, units, target, options)
    partial = partial_folder(plan.target, os.getpid())
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        result = _write(plan, partial, job)
        job.check()
        put_in_place(partial, plan.target)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise DepthkitError("DISK_FULL", f"The disk filled up while {plan.target} was written.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return result


def _plan(decoder: Decoder, units: Iterable[Unit], target: Path, options: ExportOptions) -> _Plan:
    units = normalise(units, decoder.depth)
    sublayers = [str(unit) for unit in units if unit.kind != "block"]
    if sublayers:
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"A plain Hugging Face checkpoint has both sublayers in every block, so it cannot hold a model "
            f"without {', '.join(sublayers)}. Remove whole blocks (attention.N and feed-forward.N together).",
            units=sublayers,
        )
    parts = removed_parts(units, decoder.depth)
    kept = tuple(index for index, lost in enumerate(parts) if lost is Parts.NONE)
    if not kept:
        raise DepthkitError("INVALID_ARGUMENT", "Every block is removed: there is no model left to export.")
    if options.max_shard_bytes < 1:
        raise DepthkitError("INVALID_ARGUMENT", f"max_shard_bytes is {options.max_shard_bytes}; it must be positive.")
    stored = getattr(torch, decoder.source.stored_dtype)
    plan = _Plan(
        decoder=decoder,
        units=units,
        kept=kept,
        target=check_target(target, options.overwrite, decoder.source),
        stored=stored,
        dtype=stored if options.dtype == "auto" else getattr(torch, options.dtype),
        config=cut_config(decoder.config, decoder.family, kept, decoder.depth),
        generation=generation_settings(decoder),
        options=options,
    )
    check_room(plan.target, _parameters_after(plan) * plan.dtype.itemsize)
    return plan


def _write(plan: _Plan, partial: Path, job: Job) -> ExportResult:
    config = plan.config.config
    config.architectures = [plan.decoder.family.architecture]
    config.dtype = plan.dtype
    config.save_pretrained(partial)
    write_tokenizer(plan.decoder, partial)
    write_generation_settings(plan.generation, partial)
    add_legacy_keys(partial)
    tensors = kept_tensors(plan.decoder, plan.kept)
    written = write_shards(tensors, partial, plan.dtype, plan.options.max_shard_bytes, job)
    digest = sha256_of_files(written.files, job.check)
    result = _result(plan, written, digest)
    (partial / "README.md").write_text(_card(plan, result), encoding="utf-8")
    return _with_files(result, partial, job)


def _result(plan: _Plan, written: Written, digest: str) -> ExportResult:
    decoder = plan.decoder
    kv_bytes = kv_bytes_per_block(decoder)
    scale = plan.dtype.itemsize / decoder.dtype.itemsize
    return ExportResult(
        folder=plan.target,
        removed=plan.units,
        kept_blocks=plan.kept,
        files=(),
        weights_digest=digest,
        parameters_before=decoder.parameters,
        parameters_after=_parameters_after(plan),
        weight_bytes_before=decoder.parameters * plan.stored.itemsize,
        weight_bytes_after=written.bytes,
        kv_bytes_per_token_before=round(sum(kv_bytes) * scale),
        kv_bytes_per_token_after=round(sum(kv_bytes[index] for index in plan.kept) * scale),
        dtype=str(plan.dtype).removeprefix("torch."),
        warnings=(*plan.config.warnings, *plan.generation.warnings, *_dtype_warnings(plan)),
    )


def _with_files(result: ExportResult, partial: Path, job: Job) -> ExportResult:
    files = tuple(
        ExportedFile(path.name, path.stat().st_size, sha256_of_files([path], job.check))
        for path in sorted(partial.iterdir())
    )
    return replace(result, files=files)


def _card(plan: _Plan, result: ExportResult) -> str:
    return model_card(
        CardFacts(
            source=plan.decoder.source,
            units=result.removed,
            kept=result.kept_blocks,
            depth=plan.decoder.depth,
            parameters=(result.parameters_before, result.parameters_after),
            kv_bytes=(result.kv_bytes_per_token_before, result.kv_bytes_per_token_after),
            dtype=result.dtype,
            weights_digest=result.weights_digest,
            note=plan.options.method_note,
        )
    )


def _parameters_after(plan: _Plan) -> int:
    removed = set(range(plan.decoder.depth)) - set(plan.kept)
    gone = sum(parameter.numel() for index in removed for parameter in plan.decoder.blocks[index].parameters())
    return plan.decoder.parameters - gone


def _dtype_warnings(plan: _Plan) -> tuple[str, ...]:
    loaded = plan.decoder.dtype
    if loaded.itemsize >= min(plan.stored.itemsize, plan.dtype.itemsize):
        return ()
    return (
        f"The model was loaded as {loaded} and is written as {plan.dtype}: the weights have only the "
        f"precision of {loaded}. Load it as {plan.stored} to keep all of the source's.",
    )
