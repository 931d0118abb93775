"""Quantised models in memory: made to lie still once they are loaded, and counted by what they stand for.

The libraries leave work to the first forward pass: compressed-tensors unpacks all weights then, bitsandbytes
moves scales about. All of it is done at loading, so that no digest, count or copy is of what changes later.
"""

from __future__ import annotations

import importlib
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from transformers import FineGrainedFP8Config, PreTrainedModel

from depthkit_worker.models.quantised import Quantisation

_REPACKS = "support_avx512bf16_for_cpu"
_OF_COMPRESSED = ("weight_scale", "weight_zero_point", "weight_shape", "weight_global_scale", "weight_g_idx")
"""What compressed-tensors unpacked a weight by, kept as parameters, which they are not."""


def loading_arguments(quantisation: Quantisation, places: Sequence[torch.device]) -> dict[str, Any]:
    """What `from_pretrained` is told besides, for a model whose blocks go to `places`."""
    arguments: dict[str, Any] = {}
    if quantisation.method == "bitsandbytes":
        # It writes a line for each product.
        logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if quantisation.method == "fp8":
        # What transformers does of itself where there is no GPU for FP8; said, so that it is the same on all.
        arguments["quantization_config"] = FineGrainedFP8Config(dequantize=True)
    if all(place.type == "cpu" for place in places):
        # Not said, the library puts what bitsandbytes quantised on a GPU that it finds.
        arguments["device_map"] = {"": "cpu"}
    return arguments


def settle(model: PreTrainedModel, quantisation: Quantisation) -> None:
    """Have `model`, just loaded, lie as it will from now on."""
    if quantisation.method == "compressed-tensors":
        _decompress(model)
    if quantisation.method == "bitsandbytes":
        without_repacking(model)
        for module in model.modules():
            _settle_packed(module)
    model.eval()
    model.requires_grad_(False)
    # Kernels that are not there, and shapes that they do not take, are told at loading.
    first = torch.zeros((1, 1), dtype=torch.long, device=model.device)
    with torch.no_grad():
        model(input_ids=first, use_cache=False)


def without_repacking(model: nn.Module) -> None:
    """Have 4-bit weights of bitsandbytes stay as they lie in the files.

    On processors with AVX512-BF16 the library packs a weight anew in the first pass without gradients. It
    rounds the scales to bfloat16 and computes in it, no gradient comes back from it, and it cannot be undone;
    a batch takes four times as long. Without, all is as on every other processor."""
    for module in model.modules():
        if hasattr(module, _REPACKS):
            setattr(module, _REPACKS, False)


def repacks_here(model: PreTrainedModel) -> bool:
    """Whether the library by itself would pack some weight anew on this processor."""
    return model.device.type == "cpu" and any(getattr(module, _REPACKS, False) for module in model.modules())


def _settle_packed(module: nn.Module) -> None:
    if hasattr(module, "init_8bit_state"):
        if module.weight.CB is not None:  # type: ignore[union-attr]
            module.init_8bit_state()  # type: ignore[operator]
        module.__class__ = _by_sequence()


@cache
def _by_sequence() -> type[nn.Module]:
    modules = importlib.import_module("bitsandbytes.nn")

    class BySequence8bit(modules.Linear8bitLt):  # type: ignore[misc, name-defined]
        """An 8-bit linear layer that multiplies sequence by sequence.

        Columns in which some token of a batch is large are not rounded, for all tokens of the batch. Whole
        batches would have what a sequence answers depend on those that happen to run beside it."""

        def forward(self, x: Tensor) -> Tensor:
            if x.dim() < 3 or len(x) <= 1:
                result: Tensor = super().forward(x)
                return result
            return torch.cat([super(BySequence8bit, self).forward(one[None]) for one in x])

    return BySequence8bit


def _decompress(model: PreTrainedModel) -> None:
    """What the library does at the first forward pass, without the places for offloading that it makes of
    every module's parameters."""
    hook = model.__dict__.pop("ct_decompress_hook", None)
    if hook is not None:
        hook.remove()
    decompress = importlib.import_module("compressed_tensors.compressors").decompress_module
    for module in model.modules():
        if getattr(module, "quantization_scheme", None) is None:
            continue
        if hook is not None:
            decompress(module)
        for name in _OF_COMPRESSED:
            constant = module._parameters.pop(name, None)
            if constant is not None:
                module.register_buffer(name, constant.detach())


def is_packed(parameter: Tensor | None) -> bool:
    """Whether a parameter's numbers are no weights, but codes of them."""
    return parameter is not None and not parameter.is_floating_point()


def plain_head(model: PreTrainedModel) -> bool:
    """Whether the output head multiplies by the weight that it shows."""
    head = model.get_output_embeddings()
    scheme = getattr(head, "quantization_scheme", None)
    rounded = scheme is not None and (scheme.input_activations or scheme.output_activations)
    return head is not None and not is_packed(head.get_parameter("weight")) and not rounded


def weight_shape(parameter: Tensor) -> torch.Size:
    """Of the weight that a parameter is, or stands for."""
    state = getattr(parameter, "quant_state", None)
    return parameter.shape if state is None else torch.Size(state.shape)


def weights_in(parameter: Tensor) -> int:
    """How many weights a parameter stands for: its elements, or what two of are packed in one."""
    return math.prod(weight_shape(parameter))


def scales_beside(modules: Iterable[nn.Module]) -> Iterator[Tensor]:
    """What packed weights of `modules` are read by and that is neither parameter nor buffer."""
    for module in modules:
        for parameter in module.parameters(recurse=False):
            yield from _tensors_of(getattr(parameter, "quant_state", None))
        scales = getattr(getattr(module, "state", None), "SCB", None)
        if isinstance(scales, Tensor):
            yield scales


def _tensors_of(state: Any) -> Iterator[Tensor]:
    if state is None:
        return
    for value in (state.absmax, state.code, state.offset):
        if isinstance(value, Tensor):
            yield value
    yield from _tensors_of(state.state2)
