"""Reading a model's weights: every tensor in its place, or an error that says which is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate.hooks import remove_hook_from_submodules  # type: ignore[import-untyped]
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from depthkit_worker.contract.wire import ModelOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.out_of_memory import is_out_of_memory
from depthkit_worker.models.adapter_files import NOT_APPLIED
from depthkit_worker.models.configuration import Described
from depthkit_worker.models.families import Family
from depthkit_worker.models.first_line import first_line
from depthkit_worker.models.leftovers import is_old_buffer, prediction_layers, stored_as
from depthkit_worker.models.packed import is_packed, loading_arguments, plain_head, repacks_here, settle
from depthkit_worker.models.placement import library_map, told
from depthkit_worker.models.quantised import Quantisation, refused
from depthkit_worker.models.stored_weights import StoredWeights, block_of
from depthkit_worker.models.text_part import RENAMED

NAMED = 20
"""Tensors of a kind that a message names; all are in its details."""


def load_weights(
    folder: Path,
    described: Described,
    dtype: torch.dtype,
    places: Sequence[torch.device],
    options: ModelOptions,
) -> tuple[PreTrainedModel, tuple[str, ...]]:
    """The model, its blocks on the devices `places`, and what to know of the tensors it has no place for."""
    config, family, own = described.config, described.family, described.own
    devices = list(dict.fromkeys(places))
    quantisation = described.quantisation
    read = AutoModelForCausalLM.from_pretrained if own is None else own.from_pretrained
    arguments: dict[str, Any] = {"device_map": _library_map(places, family)}
    if quantisation is not None:
        arguments |= loading_arguments(quantisation, places)
    try:
        loaded: Any = read(
            folder,
            config=config,
            dtype=dtype,
            attn_implementation=None if options.attention == "auto" else options.attention,
            trust_remote_code=options.trust_remote_code and own is None,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # Reported below, with the other faults.
            key_mapping=dict(RENAMED) if described.outside else None,
            **arguments,
            **NOT_APPLIED,
        )
    except DepthkitError:
        raise
    except Exception as error:  # Readers of damaged files raise whatever they were at.
        if is_out_of_memory(error):
            raise DepthkitError(
                "OUT_OF_MEMORY",
                f"{folder} does not fit into the memory of {told(places)}: {error}",
                device=str(devices[0]),
            ) from error
        raise DepthkitError(
            "MODEL_INVALID",
            f"The weights in {folder} cannot be loaded: {first_line(error)}.",
            folder=str(folder),
        ) from error
    model, report = loaded
    expected = family.architecture if own is None else own.model_class.__name__
    if type(model).__name__ != expected:
        raise DepthkitError(
            "MODEL_UNSUPPORTED",
            f"{folder} brings its own class {type(model).__name__} where depthkit describes {expected}.",
            architecture=type(model).__name__,
        )
    assert isinstance(model, PreTrainedModel)
    if len(devices) > 1:
        # They fetch what lies on a CPU beside a GPU anew each time, and replace every module's forward.
        remove_hook_from_submodules(model)
    if described.outside:
        # The library would save it by the names that it was read by.
        del model._weight_conversions
    notes = (
        _prediction_notes(folder, config, report) + _untied(folder, model) + _repacking_note(folder, model)
    )
    report["unexpected_keys"] = [name for name in report["unexpected_keys"] if name not in described.outside]
    _refuse_faults(folder, config, described.stored, report)
    if quantisation is not None:
        _settle_quantised(folder, model, quantisation)
    model.eval()
    model.requires_grad_(False)
    return model, notes


def _repacking_note(folder: Path, model: PreTrainedModel) -> tuple[str, ...]:
    if not repacks_here(model):
        return ()
    return (
        f"On this processor bitsandbytes would pack the weights of {folder} anew and round their scales to "
        "bfloat16. That is switched off, so that answers are those of every other processor. transformers by "
        "itself answers otherwise here (docs/models.md).",
    )


def _settle_quantised(folder: Path, model: PreTrainedModel, quantisation: Quantisation) -> None:
    try:
        settle(model, quantisation)
    except Exception as error:  # Kernels raise whatever their libraries like, assertions among it.
        said = f"{type(error).__name__}: {first_line(error)}"
        raise refused(
            folder, quantisation, f"transformers loads it and does not run it here ({said})"
        ) from error
    if not plain_head(model) or is_packed(model.get_input_embeddings().get_parameter("weight")):
        raise refused(
            folder,
            quantisation,
            "its head or its embedding is quantised too, and depthkit reads both as they are",
        )


def _library_map(places: Sequence[torch.device], family: Family) -> dict[str, torch.device] | None:
    if all(place.type == "cpu" for place in places):
        return None  # Without one, tensors are not copied out of the mapped files twice.
    return library_map(places, family.blocks)


def _untied(folder: Path, model: PreTrainedModel) -> tuple[str, ...]:
    """Have the configuration say what was loaded: a checkpoint marked as tied may hold two matrices."""
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    if (
        not getattr(model.config, "tie_word_embeddings", False)
        or head is None
        or head.weight is embedding.weight
    ):
        return ()
    model.config.tie_word_embeddings = False
    return (
        f"The config.json of {folder} says that the head is tied to the embedding, and the weights hold two "
        "different matrices. Both are used, as transformers does, and an export has both and is not marked "
        "as tied.",
    )


def _prediction_notes(folder: Path, config: PreTrainedConfig, report: dict[str, Any]) -> tuple[str, ...]:
    names = prediction_layers(report["unexpected_keys"], config.num_hidden_layers)
    if not names:
        return ()
    return (
        f"The weights in {folder} hold layers for multi-token prediction beyond the model's "
        f"{config.num_hidden_layers} blocks ({len(names)} tensors, such as {min(names)}). They draft tokens "
        "for other software and are no part of the model's own answers: they are not loaded, and an export "
        "leaves them out.",
    )


def _refuse_faults(
    folder: Path, config: PreTrainedConfig, stored: StoredWeights, report: dict[str, Any]
) -> None:
    ignored = set(prediction_layers(report["unexpected_keys"], config.num_hidden_layers))
    ignored |= {
        name for name in report["unexpected_keys"] if is_old_buffer(name, stored_as(name, stored.tensors))
    }
    faults = {
        "missing": sorted(report["missing_keys"]),
        "unexpected": sorted(set(report["unexpected_keys"]) - ignored),
        "mismatched": sorted(str(entry[0]) for entry in report["mismatched_keys"]),
    }
    if not any(faults.values()) and not report.get("error_msgs"):
        return
    said = "; ".join(f"{kind}: {_listed(names)}" for kind, names in faults.items() if names)
    beyond = {block for name in faults["unexpected"] if (block := block_of(name)) is not None}
    beyond = {block for block in beyond if block >= config.num_hidden_layers}
    hint = (
        f" It has {config.num_hidden_layers} blocks, and the weights hold "
        f"{', '.join(map(str, sorted(beyond)))} too."
        if beyond
        else ""
    )
    raise DepthkitError(
        "MODEL_INVALID",
        f"The weights in {folder} do not fit its configuration. "
        f"{said}{''.join(report.get('error_msgs', ()))}.{hint} Nothing is left random or ignored: repair the "
        f"checkpoint.",
        folder=str(folder),
        **faults,
    )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
