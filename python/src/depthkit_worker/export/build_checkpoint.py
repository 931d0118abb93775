"""Building a checkpoint in memory: a plain one wherever that can hold the subnetwork, and one in depthkit's
own form otherwise."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from accelerate import init_empty_weights  # type: ignore[import-untyped]
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedConfig, PreTrainedModel

from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.as_llama import llama_config, llama_tensors
from depthkit_worker.export.block_places import Place
from depthkit_worker.export.depthkit_form import layers_of, layout_entries, layout_tensors
from depthkit_worker.export.folding import UNTIED, Folds, plan_folds
from depthkit_worker.export.plain_config import Fields, cut_config
from depthkit_worker.export.plain_weights import (
    around_blocks,
    as_in_plain_files,
    fold_inverse_scaling,
    plain_tensors,
    without_ties,
)
from depthkit_worker.export.positions import position_fields, position_notes
from depthkit_worker.models.decoder import Decoder, edited_module
from depthkit_worker.models.own_layout.library_versions import oldest, run_with
from depthkit_worker.models.own_layout.mlx import MLX_FILE, MODEL_FILE_KEY, mlx_text, not_mlx
from depthkit_worker.models.own_layout.modelling_text import (
    AUTO_MAP,
    MODELLING_FILE,
    model_class,
    modelling_module,
    modelling_text,
)
from depthkit_worker.models.placement import bring_inputs, gather_blocks

Layout = Literal["plain", "depthkit"]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint before it is written."""

    layout: Layout
    config: PreTrainedConfig
    """As its file will have it, but for `fields`."""
    fields: Fields
    """Fields of the configuration file that count blocks from the first."""
    model: PreTrainedModel
    """Built from the checkpoint's tensors, in the loaded dtype; shares memory with the live model
    wherever nothing changes."""
    tensors: Mapping[str, Tensor]
    """By their names in files."""
    code: Mapping[str, str]
    """Files with code of the checkpoint's own."""
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def build_checkpoint(decoder: Decoder, places: Sequence[Place], head: Tensor | None = None) -> Checkpoint:
    """`head`: a weight in the place of the head's own, which is not tied to the embedding then."""
    folds = plan_folds(decoder, places, untied=head is not None)
    if isinstance(folds, str):
        return _depthkit_checkpoint(decoder, places, folds, head)
    return _plain_checkpoint(decoder, places, folds, head)


def _plain_checkpoint(
    decoder: Decoder, places: Sequence[Place], folds: Folds, head: Tensor | None
) -> Checkpoint:
    blocks = [place for place in places if place.block is not None]
    kept = [place.index for place in blocks]
    cut = cut_config(decoder.config, decoder.family, kept, decoder.depth)
    for name, value in folds.settings.items():
        setattr(cut.config, name, value)
    config, architecture = cut.config, type(decoder.model)
    config.architectures = [decoder.family.architecture]
    tensors = plain_tensors(decoder, blocks, folds) | _own_head(decoder, head)
    fold_inverse_scaling(tensors, decoder, kept)
    if folds.as_llama:
        tensors = llama_tensors(tensors, config)
        config, architecture = llama_config(config), LlamaForCausalLM
        config.architectures = [architecture.__name__]
    model = _empty(architecture, config, decoder)
    if folds.settings:
        # A switch brings biases everywhere; all but the folded ones are zero.
        for name, parameter in model.named_parameters():
            if name not in tensors and name.endswith(".bias"):
                tensors[name] = torch.zeros(parameter.shape, dtype=decoder.dtype, device=decoder.device)
    _fill(model, tensors)
    stored = without_ties(tensors, model)
    if not folds.as_llama:
        stored = as_in_plain_files(stored, decoder)
    removed = [index for index in range(decoder.depth) if index not in kept]
    notes = (*folds.notes, *position_notes(decoder, kept, removed))
    return Checkpoint(
        layout="plain",
        config=config,
        fields=position_fields(decoder, kept),
        model=model,
        tensors=stored,
        code={},
        warnings=cut.warnings,
        notes=notes,
    )


def _depthkit_checkpoint(
    decoder: Decoder, places: Sequence[Place], reason: str, head: Tensor | None
) -> Checkpoint:
    layers = layers_of(places)
    kept = [layer.block.index for layer in layers]
    cut = cut_config(decoder.config, decoder.family, kept, decoder.depth)
    text = modelling_text(decoder)
    module = modelling_module(text)
    content: dict[str, Any] = cut.config.to_dict()
    content.pop("model_type")
    why_not_mlx = not_mlx(cut.config)
    content |= {
        "layout": layout_entries(layers, decoder),
        "auto_map": dict(AUTO_MAP),
        "architectures": ["DepthkitForCausalLM"],
        **({} if why_not_mlx else {MODEL_FILE_KEY: MLX_FILE}),
        **({} if head is None else UNTIED),
    }
    config = module["DepthkitConfig"].from_dict(content)
    assert isinstance(config, PreTrainedConfig)
    tensors = around_blocks(decoder) | _own_head(decoder, head) | layout_tensors(layers, decoder)
    fold_inverse_scaling(tensors, decoder, kept)
    model = _empty(model_class(module), config, decoder)
    _fill(model, tensors)
    notes = (
        f"In depthkit's own checkpoint form, because {reason}. transformers loads it with "
        f"trust_remote_code=True, from {oldest(decoder)} on; it was run with {run_with(decoder)}, and "
        "refuses older ones. Software with model code of its own (llama.cpp, vLLM's native models) does "
        "not read it.",
        f"mlx-lm does not load it: {why_not_mlx}."
        if why_not_mlx
        else f"mlx-lm loads it with --trust-remote-code, by its {MLX_FILE}.",
    )
    return Checkpoint(
        layout="depthkit",
        config=config,
        fields=position_fields(decoder, kept),
        model=model,
        tensors=without_ties(tensors, model),
        code={MODELLING_FILE: text} if why_not_mlx else {MODELLING_FILE: text, MLX_FILE: mlx_text()},
        warnings=cut.warnings,
        notes=notes,
    )


def _own_head(decoder: Decoder, head: Tensor | None) -> dict[str, Tensor]:
    """`head` by the name of the head's weight in the model."""
    if head is None:
        return {}
    module = edited_module(decoder, decoder.depth)
    return {next(f"{name}.weight" for name, found in decoder.model.named_modules() if found is module): head}


def _empty(model_class: type[PreTrainedModel], config: PreTrainedConfig, decoder: Decoder) -> PreTrainedModel:
    """A model without weights; buffers that no file holds (rotary frequencies) are computed."""
    with init_empty_weights(include_buffers=False):
        model = model_class._from_config(
            copy.deepcopy(config), dtype=decoder.dtype, attn_implementation=decoder.attention_implementation
        )
    assert isinstance(model, PreTrainedModel)
    return model


def _fill(model: PreTrainedModel, tensors: Mapping[str, Tensor]) -> None:
    try:
        report = model.load_state_dict(tensors, strict=False, assign=True)
    except RuntimeError as error:
        raise _mismatch(str(error)) from error
    if report.missing_keys or report.unexpected_keys:
        raise _mismatch(f"missing {report.missing_keys}, unexpected {report.unexpected_keys}")
    model.tie_weights()
    device = next(iter(tensors.values())).device
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, buffer.to(device))
    if len({parameter.device for parameter in model.parameters()}) > 1:
        gather_blocks(model)
        bring_inputs(model)
    model.requires_grad_(False)
    model.eval()


def _mismatch(why: str) -> DepthkitError:
    return DepthkitError(
        "EXPORT_UNSUPPORTED",
        f"The checkpoint's configuration and its tensors do not fit each other, so nothing was written: "
        f"{why}. A replacement block must have the shape of the block whose place it takes.",
    )
