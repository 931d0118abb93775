"""depthkit's own checkpoint form: one layer per kept attention, with a small modelling file beside it.

The file is `modelling/modeling_depthkit.py`, with the lines that name the architecture filled in.
"""

from __future__ import annotations

import hashlib
import re
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel

from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.block_places import Place
from depthkit_worker.export.library_versions import oldest, run_with
from depthkit_worker.export.plain_config import is_dense
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.families import Companions, Family
from depthkit_worker.models.units import Parts
from depthkit_worker.repair.stream_updates import Constant, FeedForward, Linear, LowRank, Scale, SwiGlu

MODULE = "modeling_depthkit"
MODELLING_FILE = f"{MODULE}.py"
AUTO_MAP = {
    "AutoConfig": f"{MODULE}.DepthkitConfig",
    "AutoModel": f"{MODULE}.DepthkitModel",
    "AutoModelForCausalLM": f"{MODULE}.DepthkitForCausalLM",
}

_TEMPLATE = Path(__file__).parent / "modelling" / MODELLING_FILE
_FILLED_IN = re.compile(r"^# begin (base|names):[^\n]*\n.*?^# end \1\n", re.DOTALL | re.MULTILINE)


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


def _companions(decoder: Decoder) -> Companions:
    """What goes with each sublayer, as far as blocks of this model have it."""
    family = decoder.family
    found = family.companions_in_parallel if decoder.parallel else family.companions
    there = {name for block in decoder.blocks for name, _ in block.named_children()}
    return Companions(
        tuple(name for name in found.attention if name in there),
        tuple(name for name in (*family.feed_forward[:-1], *found.feed_forward) if name in there),
    )


def _gone_children(place: Place, decoder: Decoder) -> list[str]:
    companions = _companions(decoder)
    gone: list[str] = []
    if Parts.ATTENTION in place.lost:
        gone += [decoder.family.attention, *companions.attention]
    if Parts.FEED_FORWARD in place.lost:
        gone += [decoder.family.feed_forward[-1], *companions.feed_forward]
    return gone


def model_type_of(family: Family) -> str:
    return f"depthkit_{family.model_type}"


def modelling_text(decoder: Decoder) -> str:
    """The modelling file for checkpoints of this model's architecture."""
    family, model = decoder.family, decoder.model
    module = type(model).__module__
    if not module.startswith("transformers.models."):
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"The model runs code of its own ({module}), which depthkit's checkpoint form cannot build on: "
            "it subclasses the blocks of the transformers library. Remove whole blocks instead.",
        )
    companions = _companions(decoder)
    block = next(type(block) for block in decoder.blocks)
    base = type(model.base_model).__name__
    config = type(decoder.config).__name__
    prefix = model.base_model_prefix
    layers = family.blocks.removeprefix(f"{prefix}.")
    text = _TEMPLATE.read_text(encoding="utf-8")
    versions = [
        "# begin base: the architecture that this checkpoint was made from",
        f'OLDEST = "{oldest(decoder)}"',
        f'RUN_WITH = "{run_with(decoder)}"',
        "# end base",
        "",
    ]
    names = [
        "# begin names: the library's classes for it, and what its blocks are made of",
        f"from transformers import {config} as BaseConfig",
        f"from {module} import {block.__name__} as BaseLayer",
        f"from {module} import {type(model).__name__} as BaseForCausalLM",
        f"from {module} import {base} as BaseModel",
        "",
        f'MODEL_TYPE = "{model_type_of(family)}"',
        "# The base model in the whole one, and the list of layers in the base model.",
        f'BASE, LAYERS = "{prefix}", "{layers}"',
        f'ATTENTION, FEED_FORWARD = "{family.attention}", "{family.feed_forward[-1]}"',
        "# Goes with the attention, or the feed-forward, when that is removed.",
        f"WITH_ATTENTION: tuple[str, ...] = {_literal(companions.attention)}",
        f"WITH_FEED_FORWARD: tuple[str, ...] = {_literal(companions.feed_forward)}",
        f"ATTENTION_ADDS_RESIDUAL = {family.attention_adds_residual}",
        f"FEED_FORWARD_ADDS_RESIDUAL = {family.feed_forward_adds_residual}",
        f"FEED_FORWARD_RETURNS_TUPLE = {family.feed_forward_returns == 'tuple'}",
        "# Mixture of experts: what says which blocks' feed-forward is dense.",
        f'DENSE_BLOCKS = "{family.dense_blocks or ""}"',
        "# end names",
        "",
    ]
    lines = {"base": versions, "names": names}
    filled, count = _FILLED_IN.subn(lambda found: "\n".join(lines[found[1]]), text)
    assert count == len(lines), "the modelling file lacks a part to fill in"
    return filled


def _literal(names: tuple[str, ...]) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"({listed},)" if len(names) == 1 else f"({listed})"


def modelling_module(text: str) -> Mapping[str, Any]:
    """The classes of a modelling file, as the library will find them in it."""
    name = f"{MODULE}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if name not in sys.modules:
        module = types.ModuleType(name)
        # The library's configurations are dataclasses, which look their module up by its name.
        sys.modules[name] = module
        try:
            exec(compile(text, MODELLING_FILE, "exec"), module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name].__dict__


def model_class(module: Mapping[str, Any]) -> type[PreTrainedModel]:
    found = module["DepthkitForCausalLM"]
    assert isinstance(found, type) and issubclass(found, PreTrainedModel)
    return found
