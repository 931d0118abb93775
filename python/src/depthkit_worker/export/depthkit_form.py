"""depthkit's own checkpoint form: one layer per kept attention, with a small modelling file beside it
(`models/own_layout`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.block_places import Place
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.own_layout.modelling_text import companions_of
from depthkit_worker.models.per_block import is_dense
from depthkit_worker.models.stream_updates import Constant, FeedForward, Linear, LowRank, Scale, SwiGlu
from depthkit_worker.models.units import Parts


@dataclass(frozen=True)
class Layer:
    """One layer of the checkpoint: a block with its attention, and what runs around it."""

    before: tuple[Place, ...]
    block: Place
    after: tuple[Place, ...]


def layers_of(places: Sequence[Place]) -> tuple[Layer, ...]:
    """`places` grouped by attention. Those before the first attention stand in front of it."""
    starts = [number for number, place in enumerate(places) if place.has_attention]
    if not starts:
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            "Every attention is removed. depthkit's checkpoint form has one layer for each attention that "
            "stays, and needs at least one: keep one.",
        )
    ends = [*starts[1:], len(places)]
    return tuple(
        Layer(
            tuple(places[: starts[0]]) if number == 0 else (), places[start], tuple(places[start + 1 : end])
        )
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    )


def layout_entries(layers: Sequence[Layer], decoder: Decoder) -> list[dict[str, Any]]:
    """`config.layout`: what the modelling file builds each layer from."""
    return [
        {
            "before": [_entry(place, decoder) for place in layer.before],
            "block": _entry(layer.block, decoder),
            "after": [_entry(place, decoder) for place in layer.after],
        }
        for layer in layers
    ]


def layout_tensors(layers: Sequence[Layer], decoder: Decoder) -> dict[str, Tensor]:
    """The layers' tensors by their names in the model."""
    tensors: dict[str, Tensor] = {}
    for number, layer in enumerate(layers):
        prefix = f"{decoder.family.blocks}.{number}."
        _put(tensors, prefix, prefix, layer.block, decoder)
        for side in ("before", "after"):
            for index, place in enumerate(getattr(layer, side)):
                follower = f"{prefix}{side}.{index}."
                _put(tensors, f"{follower}block.", follower, place, decoder)
    return tensors


def _put(tensors: dict[str, Tensor], block: str, updates: str, place: Place, decoder: Decoder) -> None:
    gone = {f"{child}." for child in _gone_children(place, decoder)}
    for name, tensor in place.tensors().items():
        if not name.startswith(tuple(gone)):
            tensors[block + name] = tensor
    for slot, module in place.updates.items():
        for name, tensor in module.state_dict().items():
            tensors[f"{updates}updates.{slot}.{name}"] = tensor


def _entry(place: Place, decoder: Decoder) -> dict[str, Any]:
    names = {Parts.ATTENTION: "attention", Parts.FEED_FORWARD: "feed-forward"}
    entry: dict[str, Any] = {
        "from": place.index,
        "without": [name for part, name in names.items() if part in place.lost],
        "updates": {slot: _update(module) for slot, module in place.updates.items()},
    }
    if decoder.family.dense_blocks is not None and place.block is not None and not place.has_attention:
        entry["dense"] = is_dense(decoder.config, decoder.family.dense_blocks, place.index)
    return entry


def _update(module: nn.Module) -> dict[str, Any]:
    match module:
        case Constant():
            return {"kind": module.kind}
        case LowRank():
            shape = {"rank": module.down.shape[1], "bias": module.bias is not None}
            return {"kind": module.kind, **shape, "reads": module.reads, "eps": module.eps}
        case Linear():
            return {"kind": module.kind, "bias": module.bias is not None}
        case Scale():
            return {"kind": module.kind, "factor": module.factor}
        case FeedForward() | SwiGlu():
            return {"kind": module.kind, "width": module.up.shape[1]}
    raise DepthkitError(
        "EXPORT_UNSUPPORTED",
        f"An update of the kind {type(module).__name__} has no form in a checkpoint. "
        "Constant, LowRank, Linear, Scale, FeedForward and SwiGlu updates have one.",
    )


def _gone_children(place: Place, decoder: Decoder) -> list[str]:
    companions = companions_of(decoder)
    gone: list[str] = []
    if Parts.ATTENTION in place.lost:
        gone += [decoder.family.attention, *companions.attention]
    if Parts.FEED_FORWARD in place.lost:
        gone += [decoder.family.feed_forward[-1], *companions.feed_forward]
    return gone
