"""The tensors of the file that is written, layer by layer. Nothing is computed before its turn comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from gguf import GGMLQuantizationType as Kind
from torch import Tensor

from depthkit_worker.export.block_places import Place
from depthkit_worker.export.gguf.architectures import DECI
from depthkit_worker.export.gguf.layers import Layer
from depthkit_worker.export.gguf.plan import GgufPlan
from depthkit_worker.export.gguf.stored import (
    Numbers,
    Stored,
    around_blocks,
    block_tensors,
    changed_kind,
    from_memory,
    numbers,
    of_block,
    stored_kind,
)
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import LowRank

NO_WIDTH = 32
"""Of a feed-forward of zeros: one block of a quantised row. One of width 0 would make llama.cpp leave out its
attention too, without a word."""
GATE = 32.0
"""silu(32) is 32 in float32 and in both 16-bit dtypes, so that such a gate is a constant factor."""


@dataclass(frozen=True)
class Writing:
    """What tensors are drawn from."""

    plan: GgufPlan
    decoder: Decoder
    base: dict[str, Stored] | None
    """The base file's; None where the model is converted."""


def tensors_of(writing: Writing) -> Iterator[tuple[str, Stored]]:
    """In the order in which they are written."""
    yield from _around(writing).items()
    for number, layer in enumerate(writing.plan.layers):
        for name, stored in _layer(writing, number, layer).items():
            yield f"blk.{number}.{name}", stored


def _around(writing: Writing) -> dict[str, Stored]:
    plan, decoder = writing.plan, writing.decoder
    if writing.base is None:
        found = around_blocks(decoder)
    else:
        found = {name: one for name, one in writing.base.items() if not name.startswith("blk.")}
    embedding = found["token_embd.weight"]
    tied = "output.weight" not in found
    if plan.head is not None:
        found["output.weight"] = from_memory(plan.head, changed_kind(found.get("output.weight", embedding)))
    if plan.changes_entry:
        factor, vector = plan.entry_factor, _entry_vector(plan, decoder)
        if tied and plan.head is None and plan.entry_vector is not None:
            found["output.weight"] = embedding
        elif tied and plan.head is None:
            # The head reads the same rows; the norm in front of it makes up for it.
            found["output_norm.weight"] = _changed(found["output_norm.weight"], lambda value: value / factor)
        found["token_embd.weight"] = _changed(embedding, lambda value: value * np.float32(factor) + vector)
    return found


def _entry_vector(plan: GgufPlan, decoder: Decoder) -> Numbers:
    if plan.entry_vector is None:
        return np.zeros(decoder.hidden_size, np.float32)
    return numbers(plan.entry_vector / float(getattr(decoder.config, "embedding_multiplier", 1.0)))


def _layer(writing: Writing, number: int, layer: Layer) -> dict[str, Stored]:
    """The tensors of layer `number`, by their names in it."""
    found: dict[str, Stored] = {}
    hidden = writing.decoder.hidden_size
    if layer.attention is not None:
        found |= _sublayer(writing, layer.attention, layer.factor, feed_forward=False)
    elif number == 0:
        # llama.cpp takes the sizes of heads from its first layer: one whose output is zero.
        found |= {"attn_norm.weight": _ones(hidden), "attn_output.weight": _zeros(hidden, hidden)}
    match layer.feed_forward:
        case Place() as place:
            found |= _sublayer(writing, place, layer.factor, feed_forward=True)
        case LowRank() as update:
            found |= _low_rank(update, layer.factor)
        case None:
            found |= _no_feed_forward(hidden)
    if layer.bias is not None:
        bias = _bias(layer.bias, writing.decoder)
        own = found.get("ffn_down.bias")
        found["ffn_down.bias"] = _vector(bias) if own is None else _changed(own, lambda value: value + bias)
    return found


def _sublayer(writing: Writing, place: Place, factor: float, *, feed_forward: bool) -> dict[str, Stored]:
    found = _place(writing, place)
    if writing.plan.written == DECI or writing.plan.architecture.has_deci_form:
        found = {name: one for name, one in found.items() if name.startswith("ffn_") == feed_forward}
    elif feed_forward:
        return {}  # A block is one piece there: all of it came with its attention.
    if factor != 1:
        for name in [name for name in found if name.startswith(("attn_output.", "ffn_down."))]:
            found[name] = _changed(found[name], lambda value: value * np.float32(factor))
    return found


def _place(writing: Writing, place: Place) -> dict[str, Stored]:
    """A block's tensors, changed ones in the places of the base's."""
    decoder = writing.decoder
    if writing.base is None:
        return dict(of_block(block_tensors(decoder, place, None, stored_kind(decoder)), place.index))
    base = dict(of_block(writing.base, place.index))
    if not place.replaced and not place.weights:
        return base
    changed = block_tensors(decoder, place, None if place.replaced else list(place.weights), Kind.F16)
    for name, one in of_block(changed, place.index):
        kind = one.kind if len(one.shape) == 1 else changed_kind(base.get(name))
        base[name] = replace(one, kind=kind)
    return base


def _low_rank(update: LowRank, factor: float) -> dict[str, Stored]:
    """norm(x) V U + b as a feed-forward of that rank: up is V, down is U by the gate's constant."""
    hidden, rank = update.down.shape
    found = {
        "ffn_norm.weight": _ones(hidden),
        "ffn_gate.weight": _zeros(rank, hidden),
        "ffn_gate.bias": _vector(np.full(rank, GATE, np.float32)),
        "ffn_up.weight": _matrix((rank, hidden), update.down, 1.0),
        "ffn_down.weight": _matrix((hidden, rank), update.up, factor / GATE),
    }
    if update.bias is not None:
        found["ffn_down.bias"] = _vector(numbers(update.bias) * np.float32(factor))
    return found


def _no_feed_forward(hidden: int) -> dict[str, Stored]:
    return {
        "ffn_norm.weight": _ones(hidden),
        "ffn_gate.weight": _zeros(NO_WIDTH, hidden),
        "ffn_up.weight": _zeros(NO_WIDTH, hidden),
        "ffn_down.weight": _zeros(hidden, NO_WIDTH),
    }


def _bias(vector: Tensor, decoder: Decoder) -> Numbers:
    multiplier = decoder.family.update_multiplier
    return numbers(vector / (1.0 if multiplier is None else float(getattr(decoder.config, multiplier))))


def _changed(stored: Stored, change: Callable[[Numbers], Numbers]) -> Stored:
    kind = Kind.F32 if len(stored.shape) == 1 else changed_kind(stored)
    return Stored(stored.shape, kind, lambda: change(stored.wide()).astype(np.float32))


def _matrix(shape: tuple[int, int], transposed: Tensor, factor: float) -> Stored:
    def value() -> Numbers:
        return np.ascontiguousarray(numbers(transposed).T) * np.float32(factor)

    return Stored(shape, Kind.F32, value, fixed=True)


def _vector(value: Numbers) -> Stored:
    return Stored(value.shape, Kind.F32, lambda: value, fixed=True)


def _ones(size: int) -> Stored:
    return Stored((size,), Kind.F32, lambda: np.ones(size, np.float32), fixed=True)


def _zeros(*shape: int) -> Stored:
    return Stored(shape, Kind.F32, lambda: np.zeros(shape, np.float32), fixed=True)
