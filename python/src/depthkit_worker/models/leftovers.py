"""Tensors of a checkpoint that the model has no place for: which of them mean nothing to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from depthkit_worker.models.stored_weights import StoredTensor, block_of

_CAUSAL_MASK = re.compile(r"(^|\.)(attn|attention|self_attention|self_attn)\.bias$")
_MASKED_VALUE = re.compile(r"(^|\.)(attn|attention|self_attention|self_attn)\.masked_bias$")
_FREQUENCIES = re.compile(r"(^|\.)rotary_emb\.inv_freq$")
_PREDICTION = re.compile(r"(^|\.)(mtp|mtp_\w+|nextn\w*)\.")
_OF_PREDICTION = re.compile(r"\.(eh_proj|enorm|hnorm|shared_head)\.")


def is_old_buffer(name: str, tensor: StoredTensor | None) -> bool:
    """Whether it is a constant that older transformers saved with the weights and newer ones compute."""
    if tensor is None:
        return False
    shape = tensor.shape
    if _CAUSAL_MASK.search(name):
        return len(shape) == 4 and shape[:2] == (1, 1) and shape[2] == shape[3]
    if _MASKED_VALUE.search(name):
        return tensor.elements == 1
    return _FREQUENCIES.search(name) is not None and len(shape) == 1


def prediction_layers(names: Iterable[str], depth: int) -> list[str]:
    """Those of `names` that belong to layers for multi-token prediction, which stand beyond the last
    block."""
    names = list(names)
    beyond = {
        block for name in names if _OF_PREDICTION.search(name) and (block := block_of(name)) is not None
    }
    beyond = {block for block in beyond if block >= depth}
    return [name for name in names if _PREDICTION.search(name) or block_of(name) in beyond]


def stored_as(name: str, tensors: Mapping[str, StoredTensor]) -> StoredTensor | None:
    """The tensor of a name that the library told, which may have put the model's prefix in front."""
    return tensors.get(name) or tensors.get(name.partition(".")[2])
