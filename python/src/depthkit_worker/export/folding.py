"""Constants on the residual stream, folded into parameters that a plain checkpoint has anyway.

A constant behind a block goes into the output bias of the block's feed-forward; one in front of the first
block goes into what every token gets there. Exact but for the order of additions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from depthkit_worker.export.as_llama import not_llama
from depthkit_worker.export.block_places import Place
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.repair.stream_updates import Constant


@dataclass(frozen=True)
class _Bias:
    name: str
    """In the block, the bias that is added to the stream once for each block."""
    switch: str | None = None
    """The configuration field that must be on for all blocks to have it; it may bring other biases,
    which are zero."""


_BIASES: Mapping[str, _Bias] = {
    "llama": _Bias("mlp.down_proj.bias", "mlp_bias"),
    "smollm3": _Bias("mlp.down_proj.bias", "mlp_bias"),
    "granite": _Bias("mlp.down_proj.bias", "mlp_bias"),
    "starcoder2": _Bias("mlp.c_proj.bias", "use_bias"),
    "gpt2": _Bias("mlp.c_proj.bias"),
    "gpt_neox": _Bias("mlp.dense_4h_to_h.bias"),
    "falcon": _Bias("mlp.dense_4h_to_h.bias", "bias"),
    "bloom": _Bias("mlp.dense_4h_to_h.bias"),
    "opt": _Bias("fc2.bias", "enable_bias"),
}

# Added to every token in front of the first block besides its embedding, so that the head can stay tied.
_ENTRIES: Mapping[str, str] = {
    "gpt2": "transformer.wpe.weight",
    "opt": "model.decoder.embed_positions.weight",
    "bloom": "transformer.word_embeddings_layernorm.bias",
}
# Multiplied by a number that each dtype rounds in its own way before the first block.
_SCALED_ENTRY = ("gemma2", "gemma3_text")

_UNREAD_BY_LLAMA_CPP = ("smollm3", "falcon")


@dataclass(frozen=True)
class Folds:
    """Changes that put constants into a plain checkpoint. Tensors are fp32 on the CPU."""

    bias: str | None = None
    block_vectors: Mapping[int, Tensor] = field(default_factory=dict)
    """By the block's new number: (hidden,), what its output bias grows by."""
    entry: str | None = None
    """The parameter that every token's first hidden state gets its row of, or is added to it."""
    entry_vector: Tensor | None = None
    settings: Mapping[str, bool] = field(default_factory=dict)
    """Configuration fields to set."""
    as_llama: bool = False
    """Whether the model is written as Llama, which has the bias that its own family lacks."""
    notes: tuple[str, ...] = ()


def plan_folds(decoder: Decoder, places: Sequence[Place]) -> Folds | str:
    """How `places` become a plain checkpoint, or why they cannot."""
    for place in places:
        if place.block is not None and not place.whole:
            gone = "attention" if not place.has_attention else "feed-forward"
            return f"block {place.index} is without its {gone}, and a plain checkpoint has both sublayers everywhere"
        for update in place.updates.values():
            if not isinstance(update, Constant):
                kind = getattr(update, "kind", type(update).__name__)
                return f"the {kind} update at block {place.index} hangs on the token, so no bias can hold it"
    return _folds(decoder, _constants(places))


def _constants(places: Sequence[Place]) -> dict[int, Tensor]:
    """Sums of constants by how many blocks run before them, fp64."""
    sums: dict[int, Tensor] = {}
    passed = 0
    for place in places:
        for slot, update in place.updates.items():
            assert isinstance(update, Constant)
            behind = passed + (place.block is not None and slot != "before")
            vector = update.vector.detach().double().cpu()
            sums[behind] = sums[behind] + vector if behind in sums else vector
        passed += place.block is not None
    return sums


def _folds(decoder: Decoder, sums: Mapping[int, Tensor]) -> Folds | str:
    behind = {number - 1: vector for number, vector in sums.items() if number > 0}
    folds = _behind_blocks(decoder, behind) if behind else Folds(notes=_carried(decoder))
    if isinstance(folds, str) or 0 not in sums:
        return folds
    return _in_front(decoder, sums[0], folds)


def _carried(decoder: Decoder) -> tuple[str, ...]:
    """A note for output biases that the source has already: published models have none, folds do."""
    bias = _BIASES.get(decoder.family.model_type)
    if bias is None or bias.switch != "mlp_bias" or not getattr(decoder.config, bias.switch, False):
        return ()
    return (
        f"Feed-forwards have the output bias {bias.name}, as in the model that this one was made from. "
        f"{_readers(decoder)}",
    )


def _readers(decoder: Decoder) -> str:
    reads = "does not read" if decoder.family.model_type in _UNREAD_BY_LLAMA_CPP else "reads"
    return (
        f"A runtime that drops this bias gives wrong answers: llama.cpp {reads} it for this architecture; check "
        "others before you serve it."
    )


def _behind_blocks(decoder: Decoder, vectors: Mapping[int, Tensor]) -> Folds | str:
    family, config = decoder.family, decoder.config
    bias = _BIASES.get(family.model_type)
    as_llama = bias is None
    notes = []
    if bias is None:
        reason = not_llama(config)
        if reason is not None:
            return reason
        bias = _BIASES["llama"]
        notes.append(
            f"Written as Llama: this {family.model_type} is one under another name, and only Llama has a bias that "
            "could hold a constant."
        )
    settings = {} if bias.switch is None or getattr(config, bias.switch, False) else {bias.switch: True}
    multiplier = getattr(config, family.update_multiplier) if family.update_multiplier else 1.0
    switched = f", switched on by {bias.switch} with zeros elsewhere" if settings else ""
    notes.append(
        f"Constants were folded into the output bias {bias.name}, by new block numbers: "
        f"{', '.join(str(number) for number in sorted(vectors))}{switched}. {_readers(decoder)}"
    )
    return Folds(
        bias=bias.name,
        block_vectors={number: (vector / multiplier).float() for number, vector in vectors.items()},
        settings=settings,
        as_llama=as_llama,
        notes=tuple(notes),
    )


def _in_front(decoder: Decoder, vector: Tensor, folds: Folds) -> Folds | str:
    """`folds`, and a constant in front of the first block."""
    model_type, config = decoder.family.model_type, decoder.config
    if model_type in _SCALED_ENTRY:
        return f"{model_type} scales its embeddings, so they cannot hold a constant exactly"
    entry, scale, untie = _ENTRIES.get(model_type), 1.0, False
    if entry is None:
        entry = _embedding_name(decoder)
        scale = float(getattr(config, "embedding_multiplier", 1.0))
        untie = bool(config.tie_word_embeddings)
    untied = "; the head was untied first" if untie else ""
    return replace(
        folds,
        entry=entry,
        entry_vector=(vector / scale).float(),
        settings={**folds.settings, **({"tie_word_embeddings": False} if untie else {})},
        notes=(*folds.notes, f"The constant in front of the first block was folded into {entry}{untied}."),
    )


def _embedding_name(decoder: Decoder) -> str:
    weight = decoder.model.get_input_embeddings().weight
    return next(name for name, parameter in decoder.model.named_parameters() if parameter is weight)


def grown(tensor: Tensor, vector: Tensor) -> Tensor:
    """`tensor` with `vector` (hidden,) added to it or to each of its rows: in fp32, cast once."""
    wide = torch.promote_types(tensor.dtype, torch.float32)
    return (tensor.to(wide) + vector.to(tensor.device, wide)).to(tensor.dtype)
