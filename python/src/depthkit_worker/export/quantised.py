"""A subnetwork of a quantised checkpoint in the same form: tensors of the blocks that stay are copied from
the source's files byte for byte, and nothing is quantised anew. LoRA goes along as an adapter."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from msgspec.structs import replace
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from depthkit_worker.contract.wire import ExportFormat, ExportHuggingfaceResult, ExportOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.about import write_about
from depthkit_worker.export.adapter_beside import NOTE, load_beside, write_adapter
from depthkit_worker.export.copied_tensors import mapped_tensors
from depthkit_worker.export.generation_config import PassedOn, generation_settings
from depthkit_worker.export.plain_config import carry_changes, cut_config
from depthkit_worker.export.positions import position_fields, position_notes
from depthkit_worker.export.quantisation_config import cut_quantisation
from depthkit_worker.export.shards import write_shards
from depthkit_worker.export.text_files import settle_tokenizer, write_generation_settings, write_tokenizer
from depthkit_worker.export.verify import fixed_batch, loaded_difference, logits_of
from depthkit_worker.models.cancellable import calls_obey, making_obeys
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.folders import sha256_of_files
from depthkit_worker.models.json_files import read_json_object
from depthkit_worker.models.kv_cache import kv_bytes_per_block
from depthkit_worker.models.leftovers import prediction_layers
from depthkit_worker.models.packed import loading_arguments, settle
from depthkit_worker.models.partial_folders import partial_folder
from depthkit_worker.models.quantised import Quantisation
from depthkit_worker.models.stored_weights import block_of, read_stored, renumbered
from depthkit_worker.models.target import check_room, check_target
from depthkit_worker.models.told_when_full import told_when_full
from depthkit_worker.models.units import Parts
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.physical import own_tensors, parameter_count, physical
from depthkit_worker.subnetworks.subnetwork import Subnetwork

_FORMS = {"gguf": "a GGUF file", "onnx": "an ONNX graph"}


@dataclass(frozen=True)
class _Plan:
    subnetwork: Subnetwork
    quantisation: Quantisation
    kept: tuple[int, ...]
    target: Path
    content: dict[str, Any]
    """Of config.json."""
    tensors: dict[str, Tensor]
    """By their names in files; they lie in the source's."""
    generation: PassedOn
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def quantised_fault(subnetwork: Subnetwork, format_: ExportFormat) -> str | None:
    """Why `format_` does not hold `subnetwork`, of a quantised checkpoint; None where it does, or where the
    checkpoint is not quantised."""
    decoder = subnetwork.decoder
    quantisation = decoder.source.quantisation
    if quantisation is None:
        return None
    how = f"its weights are quantised by {quantisation}"
    if format_ != "huggingface":
        return f"{how}, and {_FORMS[format_]} is made of plain ones"
    if all(lost is Parts.BOTH for lost in subnetwork.lost):
        return "every block is removed: there is no model left to export"
    methods = dict.fromkeys(repair.method for repair in subnetwork.repairs)
    if subnetwork.edits and not (quantisation.packed and set(methods) == {"lora"}):
        only = "" if quantisation.packed else ": only weights that stay packed take LoRA beside them"
        return (
            f"{how}, which are copied as they are, and a repair ({', '.join(methods)}) has no place beside "
            f"them{only}"
        )
    if any(lost not in (Parts.NONE, Parts.BOTH) for lost in subnetwork.lost):
        return f"{how}, and depthkit's own layout, for sublayers removed by themselves, is of plain ones"
    if getattr(decoder.config, "scale_attn_by_inverse_layer_idx", False) and subnetwork.units:
        return f"{how}, and scale_attn_by_inverse_layer_idx would fold an attention's new number into them"
    return None


def export_quantised(
    subnetwork: Subnetwork,
    target: Path,
    options: ExportOptions,
    job: Job,
    max_shard_bytes: int,
) -> ExportHuggingfaceResult:
    """Write `subnetwork` to the folder `target`, whole or not at all. The live model is not touched."""
    started = time.monotonic()
    plan = _plan(subnetwork, target, options)
    with told_when_full(f"Writing {plan.target}"), partial_folder(plan.target) as prepared:
        with calls_obey(job):
            result = _write(plan, prepared.new, options, max_shard_bytes, job)
        prepared.put_in_place(job)
    return replace(result, seconds=time.monotonic() - started)


def _plan(subnetwork: Subnetwork, target: Path, options: ExportOptions) -> _Plan:
    decoder = subnetwork.decoder
    quantisation, folder = decoder.source.quantisation, decoder.source.folder
    assert quantisation is not None
    assert folder is not None
    _check(subnetwork, quantisation, options)
    kept = tuple(index for index, lost in enumerate(subnetwork.lost) if lost is not Parts.BOTH)
    target = check_target(target, "export", options.overwrite, folder)
    cut = cut_config(decoder.config, decoder.family, kept, decoder.depth)
    content = read_json_object(folder / "config.json")
    carry_changes(content, decoder.config, cut.config, position_fields(decoder, kept))
    content["quantization_config"] = cut_quantisation(content["quantization_config"], decoder.model, kept)
    tensors = _tensors(decoder, folder, kept)
    check_room(target, sum(tensor.nbytes for tensor in tensors.values()))
    gone = [index for index in range(decoder.depth) if index not in kept]
    needs = (
        "" if quantisation.library is None else f" Loading it needs {quantisation.library.partition(' ')[0]}."
    )
    note = (
        f"Quantised as its source is, by {quantisation}: the tensors of all blocks that stay were copied "
        f"byte for byte.{needs}"
    )
    return _Plan(
        subnetwork=subnetwork,
        quantisation=quantisation,
        kept=kept,
        target=target,
        content=content,
        tensors=tensors,
        generation=generation_settings(decoder),
        notes=(note, *position_notes(decoder, kept, gone)),
        warnings=cut.warnings,
    )


def _check(subnetwork: Subnetwork, quantisation: Quantisation, options: ExportOptions) -> None:
    fault = quantised_fault(subnetwork, "huggingface")
    if fault is not None:
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"A checkpoint cannot hold this subnetwork: {fault}. Nothing was written. Remove whole blocks "
            "alone, with LoRA at most where weights stay packed, or take the checkpoint that it was "
            "quantised from, and quantise what is exported.",
            quantMethod=quantisation.method,
        )
    if options.dtype not in ("auto", subnetwork.decoder.source.stored_dtype):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The checkpoint was to be saved as {options.dtype}, and it is quantised by {quantisation}: its "
            "tensors are copied as they are stored. Leave the dtype out.",
            dtype=options.dtype,
        )
    if options.vision:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"{subnetwork.decoder.source.name} was to be saved with its vision tower, and it has none. Leave "
            "vision out.",
        )


def _tensors(decoder: Decoder, folder: Path, kept: tuple[int, ...]) -> dict[str, Tensor]:
    mapped = mapped_tensors(read_stored(folder, quantised=True))
    drafts = set(prediction_layers(list(mapped), decoder.depth))
    found: dict[str, Tensor] = {}
    for name, tensor in mapped.items():
        block = block_of(name)
        if name not in drafts and (block is None or block in kept):
            found[renumbered(name, kept)] = tensor
    return found


def _write(
    plan: _Plan, folder: Path, options: ExportOptions, max_shard_bytes: int, job: Job
) -> ExportHuggingfaceResult:
    subnetwork, decoder = plan.subnetwork, plan.subnetwork.decoder
    text = json.dumps(plan.content, indent=2, ensure_ascii=False)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    write_tokenizer(decoder, folder)
    write_generation_settings(plan.generation, folder)
    notes = settle_tokenizer(decoder, folder, AutoConfig.from_pretrained(folder))
    written = write_shards(plan.tensors, folder, None, max_shard_bytes, job)
    digest = sha256_of_files(written.files, job.check)
    adapter = None
    if subnetwork.edits:
        adapter = write_adapter(subnetwork, plan.kept, plan.target.name, folder, job)
        notes = (NOTE, *notes)
    difference = _difference(subnetwork, plan.quantisation, folder, adapter is not None, job)
    kv_bytes = kv_bytes_per_block(decoder)
    scale = getattr(torch, decoder.source.stored_dtype).itemsize / decoder.dtype.itemsize
    with physical(subnetwork):
        parameters = parameter_count(own_tensors([decoder.model]))
    result = ExportHuggingfaceResult(
        folder=str(plan.target),
        layout="plain",
        removed=tuple(map(str, subnetwork.shortest_units)),
        kept_blocks=plan.kept,
        files=(),
        weights_digest=digest,
        adapter_digest=None if adapter is None else adapter.digest,
        parameters_before=decoder.parameters,
        parameters_after=parameters + (0 if adapter is None else adapter.parameters),
        weight_bytes_before=sum(decoder.source.stored_bytes.values()),
        weight_bytes_after=written.bytes + (0 if adapter is None else adapter.bytes),
        kv_bytes_per_token_before=round(sum(kv_bytes) * scale),
        kv_bytes_per_token_after=round(sum(kv_bytes[index] for index in plan.kept) * scale),
        dtype=decoder.source.stored_dtype,
        max_logit_difference=difference,
        notes=(*plan.notes, *notes),
        warnings=(*plan.warnings, *plan.generation.warnings),
        seconds=0.0,
    )
    return write_about(subnetwork, result, folder, options.note, len(plan.kept), job)


def _difference(
    subnetwork: Subnetwork, quantisation: Quantisation, folder: Path, adapted: bool, job: Job
) -> float:
    """The largest difference of logits between the files in `folder`, loaded as any quantised checkpoint is,
    with the adapter in it where it is `adapted`, and `subnetwork` in memory. More than
    `allowed_difference` stops the export."""
    decoder = subnetwork.decoder
    ids = fixed_batch(decoder)
    with removed(subnetwork):
        expected = logits_of(decoder.model, ids)
    job.check()
    arguments: dict[str, Any] = {"device_map": {"": decoder.device}}
    arguments |= loading_arguments(quantisation, [decoder.device])
    with making_obeys(job):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=decoder.dtype,
            attn_implementation=decoder.attention_implementation,
            output_loading_info=True,
            **arguments,
        )

    def make_ready(model: PreTrainedModel) -> None:
        settle(model, quantisation)
        if adapted:
            load_beside(model, folder)

    return loaded_difference(
        loaded,
        make_ready,
        ids,
        expected,
        decoder.dtype,
        "The quantised checkpoint answers",
        "; report it.",
    )
