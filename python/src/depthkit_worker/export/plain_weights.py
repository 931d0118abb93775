"""The tensors of a model whose removed blocks are gone, under their new names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor
from transformers.core_model_loading import revert_weight_conversion
from transformers.modeling_utils import remove_tied_weights_from_state_dict

from depthkit_worker.models.decoder import Decoder


def kept_tensors(decoder: Decoder, kept: Sequence[int]) -> dict[str, Tensor]:
    """What a checkpoint of the blocks `kept` holds: names as its files have them, in the loaded dtype.

    Tensors share memory with the live model wherever nothing about them changes.
    """
    model = decoder.model
    renamed = dict(_renamed(model.state_dict(), decoder.family.blocks, kept))
    if getattr(decoder.config, "scale_attn_by_inverse_layer_idx", False):
        _fold_inverse_scaling(renamed, decoder, kept)
    for name in model._keys_to_ignore_on_save or ():
        renamed.pop(name, None)
    single: dict[str, Tensor] = remove_tied_weights_from_state_dict(renamed, model)
    # Some families (experts, GPT-NeoX's head) are laid out otherwise in files than in memory.
    stored: dict[str, Tensor] = revert_weight_conversion(model, single)
    return stored


def _renamed(state: Mapping[str, Tensor], blocks: str, kept: Sequence[int]) -> Iterator[tuple[str, Tensor]]:
    new_numbers = {old: new for new, old in enumerate(kept)}
    for name, tensor in state.items():
        if not name.startswith(f"{blocks}."):
            yield name, tensor
            continue
        number, _, rest = name.removeprefix(f"{blocks}.").partition(".")
        if int(number) in new_numbers:
            yield f"{blocks}.{new_numbers[int(number)]}.{rest}", tensor


def _fold_inverse_scaling(tensors: dict[str, Tensor], decoder: Decoder, kept: Sequence[int]) -> None:
    """GPT-2 may divide attention scores by the block's number from 1. The new number divides by less
    than the old one did; the query columns make up for it. Exact but for one rounding."""
    hidden = decoder.hidden_size
    for new, old in enumerate(kept):
        if new == old:
            continue
        for part in ("weight", "bias"):
            name = f"{decoder.family.blocks}.{new}.{decoder.family.attention}.c_attn.{part}"
            tensor = tensors[name].clone()
            # The first `hidden` columns make the queries, then come keys and values.
            tensor[..., :hidden] *= (new + 1) / (old + 1)
            tensors[name] = tensor


def as_stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A contiguous copy on the CPU, floating-point tensors as `dtype`."""
    wanted = dtype if tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to(device="cpu", dtype=wanted).contiguous()
