"""The metadata of the file that is written: a base file's own, cut, or those of the model's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gguf
from gguf import GGUFValueType as Type

from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.as_llama import head_size
from depthkit_worker.export.block_places import Place
from depthkit_worker.export.gguf.architectures import DECI
from depthkit_worker.export.gguf.plan import GgufPlan
from depthkit_worker.export.gguf.tensors import NO_WIDTH
from depthkit_worker.export.gguf.tokenizer import tokenizer_metadata
from depthkit_worker.export.provenance import public_name, source_card
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.gguf_header import LICENCE_KEYS, PROVENANCE
from depthkit_worker.models.stream_updates import LowRank

REFERENCE = "depthkit.reference"
STALE = ("general.size_label", "general.parameter_count", "general.alignment", PROVENANCE, REFERENCE)
"""Keys of a base that do not hold for what is made from it."""
PATTERN = "attention.sliding_window_pattern"
HEADS, KV_HEADS, WIDTH = "attention.head_count", "attention.head_count_kv", "feed_forward_length"


@dataclass(frozen=True)
class Value:
    value: Any
    type: Type
    items: Type | None = None
    """Of a list."""


Metadata = dict[str, Value]


def metadata_of(plan: GgufPlan, decoder: Decoder, reader: gguf.GGUFReader | None) -> Metadata:
    """All keys but `general.architecture`, which the writer sets."""
    found = _drawn(decoder, plan.architecture.name) if reader is None else _copied(plan, reader)
    prefix = f"{plan.architecture.name}."
    own = {key.removeprefix(prefix): one for key, one in found.items() if key.startswith(prefix)}
    rest = {key: one for key, one in found.items() if not key.startswith(prefix)}
    own = {key: _cut(one, plan, decoder.depth) for key, one in own.items()}
    own["block_count"] = Value(len(plan.layers), Type.UINT32)
    if plan.architecture.window_period is not None:
        own[PATTERN] = _windows(plan, decoder)
    if plan.written == DECI:
        own |= _by_layer(own, plan, decoder)
    return rest | {f"{plan.written}.{key}": one for key, one in own.items()}


def _copied(plan: GgufPlan, reader: gguf.GGUFReader) -> Metadata:
    found = {}
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture" or key in STALE:
            continue
        # The items' type as it is: the writer would make 32-bit integers with a sign of all of them.
        items = field.types[1] if field.types[0] is Type.ARRAY else None
        found[key] = Value(field.contents(), field.types[0], items)
    return found


def _cut(one: Value, plan: GgufPlan, depth: int) -> Value:
    if one.type is not Type.ARRAY or len(one.value) != depth:
        return one
    return Value([one.value[layer.index] for layer in plan.layers], one.type, one.items)


def _windows(plan: GgufPlan, decoder: Decoder) -> Value:
    """Which layers have a sliding window, since llama.cpp would go by their numbers."""
    kinds = decoder.config.layer_types
    slides = [kinds[layer.index] == "sliding_attention" for layer in plan.layers]
    return Value(slides, Type.ARRAY, Type.BOOL)


def _by_layer(own: Mapping[str, Value], plan: GgufPlan, decoder: Decoder) -> Metadata:
    """Heads and widths, one entry per layer."""
    heads, width = _one(own, HEADS), _one(own, WIDTH)
    kv_heads = _one(own, KV_HEADS) if KV_HEADS in own else heads
    size = (
        int(own["attention.key_length"].value)
        if "attention.key_length" in own
        else decoder.hidden_size // heads
    )
    for key in ("attention.key_length", "attention.value_length", "rope.dimension_count"):
        if key in own and own[key].value != size:
            raise DepthkitError(
                "EXPORT_UNSUPPORTED",
                f"The file to be made is of arch {DECI}, whose heads have one size for keys, values and "
                f"rotary positions. In the base {key} is {own[key].value}, and its heads have {size}. Remove "
                "whole blocks only.",
            )
    lists: dict[str, list[int]] = {HEADS: [], KV_HEADS: [], WIDTH: []}
    for number, layer in enumerate(plan.layers):
        there = layer.attention is not None
        # The first layer's heads give all others their size, so it has some where its attention is gone.
        lists[HEADS].append(heads if there or number == 0 else 0)
        lists[KV_HEADS].append(kv_heads if there else 0)
        lists[WIDTH].append(_width(layer.feed_forward, width))
    sizes = {
        key: Value(size, Type.UINT32)
        for key in ("attention.key_length", "attention.value_length", "rope.dimension_count")
    }
    return sizes | {key: Value(values, Type.ARRAY, Type.UINT32) for key, values in lists.items()}


def _one(own: Mapping[str, Value], key: str) -> int:
    if not isinstance(own[key].value, int):
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"The base has a {key} for each block, and a file of arch {DECI} is made here from a base "
            "whose blocks are all alike. Remove whole blocks only.",
        )
    return int(own[key].value)


def _width(feed_forward: Place | LowRank | None, width: int) -> int:
    match feed_forward:
        case Place():
            return width
        case LowRank() as update:
            return update.down.shape[1]
        case None:
            return NO_WIDTH


def _drawn(decoder: Decoder, name: str) -> Metadata:
    """For a checkpoint of Llama's shape that did not come from a GGUF file."""
    config = decoder.config
    heads = int(config.num_attention_heads)
    size = head_size(config)
    rope = config.rope_parameters
    card = source_card(decoder)
    values: dict[str, Any] = {
        "general.type": "model",
        "general.name": public_name(decoder.source),
        **{
            key.decode(): card[field]
            for field, key in LICENCE_KEYS.items()
            if isinstance(card.get(field), str)
        },
        f"{name}.block_count": decoder.depth,
        f"{name}.context_length": int(config.max_position_embeddings),
        f"{name}.embedding_length": decoder.hidden_size,
        f"{name}.{WIDTH}": int(config.intermediate_size),
        f"{name}.{HEADS}": heads,
        f"{name}.{KV_HEADS}": int(config.num_key_value_heads),
        f"{name}.attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        f"{name}.attention.key_length": size,
        f"{name}.attention.value_length": size,
        f"{name}.rope.dimension_count": size,
        f"{name}.rope.freq_base": float(rope["rope_theta"]),
        f"{name}.vocab_size": decoder.vocabulary_size,
        **tokenizer_metadata(decoder),
    }
    if rope["rope_type"] == "linear":
        values[f"{name}.rope.scaling.type"] = "linear"
        values[f"{name}.rope.scaling.factor"] = float(rope["factor"])
    return {key: _typed(value) for key, value in values.items()}


def _typed(value: Any) -> Value:
    match value:
        case bool():
            return Value(value, Type.BOOL)
        case int():
            return Value(value, Type.UINT32)
        case float():
            return Value(value, Type.FLOAT32)
        case str():
            return Value(value, Type.STRING)
        case [str(), *_] | []:
            return Value(value, Type.ARRAY, Type.STRING)
        case list():
            return Value(value, Type.ARRAY, Type.INT32)
    raise AssertionError(value)
