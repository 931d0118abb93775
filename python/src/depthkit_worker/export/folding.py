"""Constants and factors of the residual stream, folded into parameters that a plain checkpoint has anyway.

A constant behind a block goes into the output bias of the block's feed-forward, a factor into the output
projections of the blocks above; those in front of the first block go into what every token gets there. Exact
but for the order of additions, and factors for the norms' epsilon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn
from torch.func import functional_call

from depthkit_worker.export.as_llama import not_llama
from depthkit_worker.export.block_places import Place
from depthkit_worker.export.constants_and_factors import Stream, stream_of
from depthkit_worker.models.decoder import Decoder


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
    "nemotron": _Bias("mlp.down_proj.bias", "mlp_bias"),
    "arcee": _Bias("mlp.down_proj.bias", "mlp_bias"),
    "seed_oss": _Bias("mlp.down_proj.bias", "mlp_bias"),
    "helium": _Bias("mlp.down_proj.bias", "mlp_bias"),
    "ernie4_5": _Bias("mlp.down_proj.bias", "use_bias"),
    "starcoder2": _Bias("mlp.c_proj.bias", "use_bias"),
    "gpt2": _Bias("mlp.c_proj.bias"),
    "gpt_bigcode": _Bias("mlp.c_proj.bias"),
    "gptj": _Bias("mlp.fc_out.bias"),
    "phi": _Bias("mlp.fc2.bias"),
    "persimmon": _Bias("mlp.dense_4h_to_h.bias"),
    "gpt_neox": _Bias("mlp.dense_4h_to_h.bias"),
    "falcon": _Bias("mlp.dense_4h_to_h.bias", "bias"),
    "bloom": _Bias("mlp.dense_4h_to_h.bias"),
    "opt": _Bias("fc2.bias", "enable_bias"),
}

# Added to every token in front of the first block besides its embedding, so that the head can stay tied.
_ENTRIES: Mapping[str, str] = {
    "gpt2": "transformer.wpe.weight",
    "gpt_bigcode": "transformer.wpe.weight",
    "opt": "model.decoder.embed_positions.weight",
    "bloom": "transformer.word_embeddings_layernorm.bias",
}
# All that a token gets in front of the first block, where that is more than its embedding, or is normed
# there.
_SCALED_ENTRIES: Mapping[str, tuple[str, ...]] = {
    "gpt2": ("transformer.wte.weight", "transformer.wpe.weight"),
    "gpt_bigcode": ("transformer.wte.weight", "transformer.wpe.weight"),
    "opt": ("model.decoder.embed_tokens.weight", "model.decoder.embed_positions.weight"),
    "bloom": ("transformer.word_embeddings_layernorm.weight", "transformer.word_embeddings_layernorm.bias"),
}
# Multiplied by a number that each dtype rounds in its own way before the first block.
_SCALED_ENTRY = ("gemma", "gemma2", "gemma3_text")

UNTIED = {"tie_word_embeddings": False}
_UNREAD_BY_LLAMA_CPP = (
    "smollm3",
    "falcon",
    "arcee",
    "ernie4_5",
    "seed_oss",
    "helium",
    "gptj",
    "persimmon",
)


@dataclass(frozen=True)
class Folds:
    """Changes that put constants and factors into a plain checkpoint. Tensors are fp32 on the CPU."""

    bias: str | None = None
    block_vectors: Mapping[int, Tensor] = field(default_factory=dict)
    """By the block's new number: (hidden,), what its output bias grows by."""
    block_factors: Mapping[int, float] = field(default_factory=dict)
    """By the block's new number: what its output projections are multiplied by."""
    around: Mapping[str, float] = field(default_factory=dict)
    """Parameters around the blocks, and what they are multiplied by."""
    entry: str | None = None
    """The parameter that every token's first hidden state gets its row of, or is added to it."""
    entry_vector: Tensor | None = None
    settings: Mapping[str, bool] = field(default_factory=dict)
    """Configuration fields to set."""
    as_llama: bool = False
    """Whether the model is written as Llama, which has the bias that its own family lacks."""
    notes: tuple[str, ...] = ()


def plan_folds(decoder: Decoder, places: Sequence[Place], untied: bool = False) -> Folds | str:
    """How `places` become a plain checkpoint, or why they cannot. `untied`: whether the head has a weight of
    its own, which its model ties to the embedding."""
    for place in places:
        if place.block is not None and not place.whole:
            gone = "attention" if not place.has_attention else "feed-forward"
            return (
                f"block {place.index} is without its {gone}, and a plain checkpoint has both sublayers "
                "everywhere"
            )
    stream = stream_of(places)
    if isinstance(stream, str):
        return stream
    folds = _constants(decoder, stream)
    if not isinstance(folds, str) and untied and decoder.config.tie_word_embeddings:
        folds = replace(folds, settings={**folds.settings, **UNTIED})
    return _with_factors(decoder, stream, folds)


def _constants(decoder: Decoder, stream: Stream) -> Folds | str:
    folds = _behind_blocks(decoder, stream.vectors) if stream.vectors else Folds(notes=_carried(decoder))
    if isinstance(folds, str) or stream.entry_vector is None:
        return folds
    return _in_front(decoder, stream.entry_vector, folds)


def _with_factors(decoder: Decoder, stream: Stream, folds: Folds | str) -> Folds | str:
    if isinstance(folds, str):
        return folds
    notes = []
    if stream.factors:
        listed = ", ".join(f"{number} by {factor:.6g}" for number, factor in stream.factors.items())
        notes.append(
            "Factors of the stream were folded into the output projections of the blocks above them, by new "
            f"block numbers: {listed}. The stream is smaller there than in the model in memory, and each "
            f"norm takes that out."
        )
    around: dict[str, float] = {}
    settings = folds.settings
    if stream.entry_factor != 1:
        embedding = _embedding_name(decoder)
        names = _SCALED_ENTRIES.get(decoder.family.model_type, (embedding,))
        around = dict.fromkeys(names, stream.entry_factor)
        also = ""
        if (
            embedding in names
            and decoder.config.tie_word_embeddings
            and "tie_word_embeddings" not in settings
        ):
            # The head reads the same rows; what it reads them with makes up for it, where that can.
            norm = decoder.model.get_submodule(decoder.family.final_norm)
            if _is_linear_in_its_parameters(norm, decoder.hidden_size):
                for name, _ in norm.named_parameters():
                    around[f"{decoder.family.final_norm}.{name}"] = 1 / stream.entry_factor
                also = "; the final norm is divided by it, since the head is tied"
            else:
                settings = {**settings, **UNTIED}
                also = "; the head was untied first"
        notes.append(
            f"The factor in front of the first block, {stream.entry_factor:.6g}, was folded into "
            f"{' and '.join(names)}{also}."
        )
    return replace(
        folds,
        block_factors=stream.factors,
        around=around,
        settings=settings,
        notes=(*folds.notes, *notes),
    )


def _is_linear_in_its_parameters(norm: nn.Module, width: int) -> bool:
    """Not where there are none (OLMo), or where one is added to the weight (Gemma, Nemotron)."""
    parameters = dict(norm.named_parameters())
    if not parameters:
        return False
    some = next(iter(parameters.values()))
    probe = torch.arange(1, width + 1, device=some.device, dtype=some.dtype)[None]
    doubled = functional_call(norm, {name: 2 * tensor for name, tensor in parameters.items()}, (probe,))
    return torch.equal(doubled, 2 * norm(probe))


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
        f"A runtime that drops this bias gives wrong answers: llama.cpp {reads} it for this architecture; "
        "check others before you serve it."
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
            f"Written as Llama: this {family.model_type} is one under another name, and only Llama has a "
            "bias that could hold a constant."
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
        settings={**folds.settings, **(UNTIED if untie else {})},
        notes=(*folds.notes, f"The constant in front of the first block was folded into {entry}{untied}."),
    )


def _embedding_name(decoder: Decoder) -> str:
    weight = decoder.model.get_input_embeddings().weight
    return next(name for name, parameter in decoder.model.named_parameters() if parameter is weight)
