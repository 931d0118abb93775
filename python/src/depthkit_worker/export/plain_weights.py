"""The tensors of an exported model by their names in memory, and as files have them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.core_model_loading import revert_weight_conversion
from transformers.modeling_utils import remove_tied_weights_from_state_dict

from depthkit_worker.export.block_places import Place
from depthkit_worker.export.constants_and_factors import grown, scaled, writers
from depthkit_worker.export.folding import Folds
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Parts


def around_blocks(decoder: Decoder) -> dict[str, Tensor]:
    """All but the blocks: embeddings, final norm, head. Shared with the live model."""
    prefix = f"{decoder.family.blocks}."
    return {
        name: tensor for name, tensor in decoder.model.state_dict().items() if not name.startswith(prefix)
    }


def plain_tensors(decoder: Decoder, blocks: Sequence[Place], folds: Folds) -> dict[str, Tensor]:
    """The model of `blocks`, numbered from 0. Tensors share memory with the live model wherever nothing
    about them changes. Where `folds` gives a block its first bias, the other new ones are missing still."""
    tensors = around_blocks(decoder)
    for name, factor in folds.around.items():
        before, after = tensors[name], scaled(tensors[name], factor)
        # A tied head has the same memory under another name, unless a constant has just untied it.
        tied = set() if "tie_word_embeddings" in folds.settings else {before.data_ptr()}
        same = [other for other, tensor in tensors.items() if other == name or tensor.data_ptr() in tied]
        tensors |= dict.fromkeys(same, after)
    for number, place in enumerate(blocks):
        assert place.block is not None
        own, factor = place.tensors(), folds.block_factors.get(number, 1.0)
        if factor != 1:
            own |= {name: scaled(own[name], factor) for name in writers(place.block)}
        for name, tensor in own.items():
            tensors[f"{decoder.family.blocks}.{number}.{name}"] = tensor
    for number, vector in folds.block_vectors.items():
        name = f"{decoder.family.blocks}.{number}.{folds.bias}"
        tensors[name] = grown(tensors[name], vector) if name in tensors else vector.to(decoder.dtype)
    if folds.entry is not None and folds.entry_vector is not None:
        tensors[folds.entry] = grown(tensors[folds.entry], folds.entry_vector)
    return tensors


def fold_inverse_scaling(tensors: dict[str, Tensor], decoder: Decoder, kept: Sequence[int]) -> None:
    """GPT-2 may divide attention scores by the attention's number from 1. The new number divides by less
    than the old one did; the query columns make up for it. Exact but for one rounding."""
    if not getattr(decoder.config, "scale_attn_by_inverse_layer_idx", False):
        return
    hidden = decoder.hidden_size
    for new, index in enumerate(kept):
        old = sum(Parts.ATTENTION not in absent for absent in decoder.absent[:index])
        if new == old:
            continue
        for part in ("weight", "bias"):
            name = f"{decoder.family.blocks}.{new}.{decoder.family.attention}.c_attn.{part}"
            tensor = tensors[name].clone()
            # The first `hidden` columns make the queries, then come keys and values.
            tensor[..., :hidden] *= (new + 1) / (old + 1)
            tensors[name] = tensor


def without_ties(tensors: Mapping[str, Tensor], model: PreTrainedModel) -> dict[str, Tensor]:
    """`tensors` of `model`, those that are tied to another left out."""
    state = dict(tensors)
    for name in model._keys_to_ignore_on_save or ():
        state.pop(name, None)
    single: dict[str, Tensor] = remove_tied_weights_from_state_dict(state, model)
    return single


def as_in_plain_files(tensors: dict[str, Tensor], decoder: Decoder) -> dict[str, Tensor]:
    """Some families (experts, GPT-NeoX's head) are laid out otherwise in files than in memory."""
    stored: dict[str, Tensor] = revert_weight_conversion(decoder.model, tensors)
    return stored


def as_stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A contiguous copy on the CPU, floating-point tensors as `dtype`."""
    wanted = dtype if tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to(device="cpu", dtype=wanted).contiguous()
