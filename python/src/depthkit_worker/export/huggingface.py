"""A subnetwork as a Hugging Face checkpoint: plain, or in depthkit's own form with code beside it.

Stock software loads it: what stays is numbered anew, every per-block entry of the configuration is cut,
tied weights stay tied, and the dtype is the one the source is stored in. Its logits are compared with those
of the subnetwork in memory before anything is written.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from msgspec.structs import replace

from depthkit_worker.contract.wire import (
    ExportHuggingfaceResult,
    ExportOptions,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.about import write_about
from depthkit_worker.export.block_places import Place, head_of, places_of
from depthkit_worker.export.build_checkpoint import Checkpoint, build_checkpoint
from depthkit_worker.export.casting import check_range, written_difference
from depthkit_worker.export.generation_config import PassedOn, generation_settings
from depthkit_worker.export.plain_config import write_fields
from depthkit_worker.export.quantised import export_quantised
from depthkit_worker.export.shards import MAX_SHARD_BYTES, Written, write_shards
from depthkit_worker.export.text_files import (
    settle_tokenizer,
    write_generation_settings,
    write_tokenizer,
)
from depthkit_worker.export.verify import check_built
from depthkit_worker.export.with_vision import (
    WithVision,
    difference_with_vision,
    plan_with_vision,
    whole_config,
    write_around,
)
from depthkit_worker.models.cancellable import calls_obey
from depthkit_worker.models.compatibility import add_legacy_keys
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.dtypes import dtype_name
from depthkit_worker.models.folders import sha256_of_files
from depthkit_worker.models.kv_cache import kv_bytes_per_block
from depthkit_worker.models.partial_folders import partial_folder
from depthkit_worker.models.target import check_room, check_target
from depthkit_worker.models.told_when_full import told_when_full
from depthkit_worker.models.units import Parts
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.subnetwork import Subnetwork


@dataclass(frozen=True)
class _Plan:
    """All that is settled before anything is written."""

    subnetwork: Subnetwork
    places: tuple[Place, ...]
    target: Path
    stored: torch.dtype
    dtype: torch.dtype
    checkpoint: Checkpoint
    vision: WithVision | None
    """The whole checkpoint, where the tower goes with the language model."""
    generation: PassedOn
    options: ExportOptions
    max_shard_bytes: int

    @property
    def decoder(self) -> Decoder:
        return self.subnetwork.decoder


def export_huggingface(
    subnetwork: Subnetwork,
    target: Path,
    options: ExportOptions,
    job: Job,
    *,
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> ExportHuggingfaceResult:
    """Write `subnetwork` to the folder `target`, whole or not at all. The live model is not touched."""
    if not any(place.block is not None for place in places_of(subnetwork)):
        raise DepthkitError("INVALID_ARGUMENT", "Every block is removed: there is no model left to export.")
    if subnetwork.decoder.source.quantisation is not None:
        return export_quantised(subnetwork, target, options, job, max_shard_bytes)
    started = time.monotonic()
    with calls_obey(job):
        plan = _plan(subnetwork, target, options, max_shard_bytes, job)
    with told_when_full(f"Writing {plan.target}"), partial_folder(plan.target) as prepared:
        with calls_obey(job):
            result = _write(plan, prepared.new, job)
        prepared.put_in_place(job)
    return replace(result, seconds=time.monotonic() - started)


def _plan(
    subnetwork: Subnetwork, target: Path, options: ExportOptions, max_shard_bytes: int, job: Job
) -> _Plan:
    decoder, places = subnetwork.decoder, places_of(subnetwork)
    target = check_target(target, "export", options.overwrite, decoder.source.folder)
    checkpoint = build_checkpoint(decoder, places, head_of(subnetwork))
    vision = None
    if options.vision:
        kept = tuple(place.index for place in places if place.block is not None)
        vision = plan_with_vision(subnetwork, checkpoint, kept, options)
    stored = getattr(torch, decoder.source.stored_dtype)
    plan = _Plan(
        subnetwork=subnetwork,
        places=places,
        target=target,
        stored=stored,
        dtype=stored if options.dtype == "auto" else getattr(torch, options.dtype),
        checkpoint=checkpoint,
        vision=vision,
        generation=generation_settings(decoder),
        options=options,
        max_shard_bytes=max_shard_bytes,
    )
    check_built(subnetwork, checkpoint.model)
    check_range(checkpoint.tensors, plan.dtype, job)
    check_room(plan.target, _bytes_after(plan))
    return plan


def _write(plan: _Plan, partial: Path, job: Job) -> ExportHuggingfaceResult:
    plan.checkpoint.config.dtype = plan.dtype
    if plan.vision is None:
        plan.checkpoint.config.save_pretrained(partial)
        write_fields(plan.checkpoint.fields, partial / "config.json")
    else:
        write_around(plan.vision, partial)
    for name, text in plan.checkpoint.code.items():
        (partial / name).write_text(text, encoding="utf-8")
    write_tokenizer(plan.decoder, partial)
    write_generation_settings(plan.generation, partial)
    if plan.vision is None:
        add_legacy_keys(partial)
    config = plan.checkpoint.config if plan.vision is None else whole_config(partial)
    notes = settle_tokenizer(plan.decoder, partial, config)
    written = _write_weights(plan, partial, job)
    digest = sha256_of_files(written.files, job.check)
    if plan.vision is None:
        difference = written_difference(plan.subnetwork, plan.checkpoint, partial, plan.dtype, job)
    else:
        difference = difference_with_vision(plan.subnetwork, partial, job)
    result = _result(plan, written, digest, difference)
    result = replace(result, notes=(*result.notes, *notes))
    replaced = [place.index for place in plan.places if place.replaced]
    layers = plan.checkpoint.config.num_hidden_layers
    return write_about(plan.subnetwork, result, partial, plan.options.note, layers, job, replaced)


def _write_weights(plan: _Plan, partial: Path, job: Job) -> Written:
    if plan.vision is not None:
        return write_shards(plan.vision.tensors, partial, None, plan.max_shard_bytes, job)
    return write_shards(plan.checkpoint.tensors, partial, plan.dtype, plan.max_shard_bytes, job)


def _bytes_after(plan: _Plan) -> int:
    if plan.vision is not None:
        return sum(tensor.nbytes for tensor in plan.vision.tensors.values())
    return _parameters_after(plan) * plan.dtype.itemsize


def _result(plan: _Plan, written: Written, digest: str, difference: float) -> ExportHuggingfaceResult:
    decoder = plan.decoder
    kv_bytes = kv_bytes_per_block(decoder)
    scale = plan.dtype.itemsize / decoder.dtype.itemsize
    return ExportHuggingfaceResult(
        folder=str(plan.target),
        layout=plan.checkpoint.layout,
        removed=tuple(map(str, plan.subnetwork.shortest_units)),
        kept_blocks=_kept_blocks(plan),
        files=(),
        weights_digest=digest,
        parameters_before=decoder.parameters,
        parameters_after=_parameters_after(plan),
        weight_bytes_before=decoder.parameters * plan.stored.itemsize,
        weight_bytes_after=written.bytes,
        kv_bytes_per_token_before=round(sum(kv_bytes) * scale),
        kv_bytes_per_token_after=round(
            sum(kv_bytes[place.index] for place in plan.places if place.has_attention) * scale
        ),
        dtype=dtype_name(plan.dtype),
        max_logit_difference=difference,
        notes=plan.checkpoint.notes if plan.vision is None else plan.vision.notes,
        warnings=(
            *plan.checkpoint.warnings,
            *(() if plan.vision is None else plan.vision.warnings),
            *plan.generation.warnings,
            *_dtype_warnings(plan),
        ),
        seconds=0.0,
    )


def _kept_blocks(plan: _Plan) -> tuple[int, ...]:
    """Those of which a sublayer, or an update of their own, stays."""
    there = {place.index for place in plan.places}
    return tuple(
        index for index, lost in enumerate(plan.subnetwork.lost) if lost is not Parts.BOTH and index in there
    )


def _parameters_after(plan: _Plan) -> int:
    return sum(parameter.numel() for parameter in plan.checkpoint.model.parameters())


def _dtype_warnings(plan: _Plan) -> tuple[str, ...]:
    loaded = plan.decoder.dtype
    if loaded.itemsize >= min(plan.stored.itemsize, plan.dtype.itemsize):
        return ()
    return (
        f"The model was loaded as {loaded} and is written as {plan.dtype}: the weights have only the "
        f"precision of {loaded}. Load it as {plan.stored} to keep all of the source's.",
    )
