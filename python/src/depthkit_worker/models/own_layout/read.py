"""A checkpoint in depthkit's own layout, back as a stock model: the inverse of the export.

Each place of the layout is a block again, numbered from 0 as they run, as the blocks of a plain checkpoint
are. A sublayer that a place lacks is absent from the start; updates of the stream belong to their block. The
folder's Python is never run: the classes are made from depthkit's own text, once the folder's was found to
compute the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.families import FAMILIES, Family, family_of, unknown
from depthkit_worker.models.own_layout.layout import PlaceInLayout, read_layout
from depthkit_worker.models.own_layout.mlx import MODEL_FILE_KEY
from depthkit_worker.models.own_layout.modelling_text import (
    MODELLING_FILE,
    PREFIX,
    computes,
    model_class,
    modelling_module,
    modelling_text,
)
from depthkit_worker.models.per_block import is_dense, is_per_block
from depthkit_worker.models.stand_ins import (
    UPDATES,
    NoAttention,
    NoFeedForward,
    OnlyUpdates,
    Slot,
    UpdateHooks,
)
from depthkit_worker.models.stream_updates import Constant, FeedForward, Linear, LowRank, Scale, SwiGlu
from depthkit_worker.models.units import Parts

_NAMES = {Parts.ATTENTION: "attention", Parts.FEED_FORWARD: "feed-forward"}
_OF_THE_LAYOUT = ("model_type", "layout", "auto_map", "architectures", MODEL_FILE_KEY)


@dataclass(frozen=True)
class OwnLayout:
    """What to build of a folder in depthkit's own layout."""

    family: Family
    config: PreTrainedConfig
    """The layout's own, of the class that its modelling text defines."""
    model_class: type[PreTrainedModel]
    classes: Mapping[str, Any]
    places: tuple[PlaceInLayout, ...]

    @property
    def digest(self) -> str:
        """sha256 of the layout: what the model computes besides what its weights and configuration say."""
        text = json.dumps(self.config.layout, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def note(self, folder: Path) -> str:
        """What a user has to know of the numbers of its blocks."""
        gone = [
            f"{name}.{number}"
            for number, place in enumerate(self.places)
            for part, name in _NAMES.items()
            if part in place.absent
        ]
        updated = [str(number) for number, place in enumerate(self.places) if place.updates]
        listed = f"; absent from the start: {', '.join(gone)}" if gone else ""
        beside = f"; with updates of the stream of their own: blocks {', '.join(updated)}" if updated else ""
        return (
            f"{folder} is in depthkit's own layout: its places are the blocks 0 to {len(self.places) - 1}, "
            f"made from the blocks {', '.join(str(place.made_from) for place in self.places)} of the model "
            f"that was exported{listed}{beside}. Its Python was not run."
        )

    def from_pretrained(self, folder: Path, **options: Any) -> Any:
        """As the library loads; what it reports is the caller's to judge."""
        # Past what the modelling file does about missing tensors: here they are told with the other faults.
        load: Callable[..., Any] = vars(PreTrainedModel)["from_pretrained"].__func__
        return load(self.model_class, folder, **options)


def is_own_layout(content: Mapping[str, Any]) -> bool:
    return str(content.get("model_type")).startswith(PREFIX)


def read_own_layout(folder: Path, content: dict[str, Any]) -> OwnLayout:
    """`content`: of the folder's config.json, whose depth fits the weights."""
    family = own_family(folder, content)
    places = read_layout(folder, content.get("layout"), content[family.depth_key])
    # What it never builds would be built by the folder's file.
    stock = CONFIG_MAPPING[family.model_type].from_dict(_stock_content(content))
    family_of(stock)
    with torch.device("meta"):
        shell = AutoModelForCausalLM.from_config(stock)
    text = modelling_text(Decoder(shell))
    _check_text(folder, text)
    classes = modelling_module(text)
    own = {name: value for name, value in content.items() if name not in ("model_type", "auto_map")}
    config = classes["DepthkitConfig"].from_dict(own)
    assert isinstance(config, PreTrainedConfig)
    return OwnLayout(family, config, model_class(classes), classes, places)


def own_family(folder: Path, content: Mapping[str, Any]) -> Family:
    """The family that a folder in depthkit's own layout is of."""
    name = str(content["model_type"]).removeprefix(PREFIX)
    if name not in FAMILIES:
        raise unknown(f"{folder}, in depthkit's own layout, has", name)
    return FAMILIES[name]


def _check_text(folder: Path, text: str) -> None:
    path = folder / MODELLING_FILE
    if not path.is_file():
        raise DepthkitError(
            "MODEL_INVALID",
            f"{folder} is in depthkit's own layout and has no {MODELLING_FILE}, by which depthkit sees that "
            "it computes what depthkit takes it for. Copy the file from the folder that was exported.",
            folder=str(folder),
        )
    found = computes(path.read_text(encoding="utf-8", errors="replace"))
    if found != computes(text):
        raise DepthkitError(
            "MODEL_UNSUPPORTED",
            f"{path} is not the modelling file that this depthkit writes for this architecture (sha256 "
            f"{found[:12]}, expected {computes(text)[:12]}), so what the model computes is not known here. "
            "It was not run. Put back the file of the export, or load the folder with the release of "
            "depthkit that wrote it; transformers loads it with trust_remote_code.",
            path=str(path),
            sha256=found,
            expected=computes(text),
        )


def as_stock(model: PreTrainedModel, own: OwnLayout) -> None:
    """Turn a loaded model of the layout's own class into the library's, block by block, in place. No number
    changes, nor the order in which any is computed."""
    family = own.family
    path, _, name = family.blocks.rpartition(".")
    parent = model.get_submodule(path)
    layers = list(getattr(parent, name))
    blocks = [_block(layers[place.layer], place, own) for place in own.places]
    for layer in layers:
        for side in ("before", "after"):
            del layer._modules[side]
        layer.__class__ = own.classes["BaseLayer"]
    setattr(parent, name, nn.ModuleList(blocks))
    model.__class__ = own.classes["BaseForCausalLM"]
    # The library's conversions of tensors go by the model's type.
    model.__dict__.pop("_weight_conversions", None)
    old, new = model.config, _stock_config(model.config, own)
    for module in model.modules():
        if getattr(module, "config", None) is old:
            setattr(module, "config", new)  # noqa: B010 (a module's attributes have no types)


def _block(layer: nn.Module, place: PlaceInLayout, own: OwnLayout) -> nn.Module:
    family = own.family
    holder = layer if place.side == "block" else layer.get_submodule(f"{place.side}.{place.position}")
    inner = layer if place.side == "block" else getattr(holder, "block", None)
    made = holder.get_submodule(UPDATES).named_children()
    updates: dict[Slot, nn.Module] = {cast("Slot", slot): _update(module) for slot, module in made}
    block = OnlyUpdates(family) if inner is None else inner
    if inner is not None and Parts.ATTENTION in place.absent:
        setattr(block, family.attention, NoAttention(family))
    if inner is not None and Parts.FEED_FORWARD in place.absent:
        setattr(block, family.feed_forward[-1], NoFeedForward(family))
    block._modules.pop(UPDATES, None)
    if updates:
        setattr(block, UPDATES, nn.ModuleDict({str(slot): update for slot, update in updates.items()}))
        hooks = UpdateHooks(updates)
        block.register_forward_pre_hook(hooks.in_front, with_kwargs=True)
        block.register_forward_hook(hooks.behind)
    block.eval()
    return block


def _update(made: Any) -> nn.Module:
    """A module of the modelling file as depthkit's own of the same kind, on the same tensors."""

    def data(name: str) -> Any:
        tensor = getattr(made, name)
        return None if tensor is None else tensor.data

    match type(made).__name__:
        case "Constant":
            return Constant(data("vector"))
        case "LowRank":
            reads = "normed" if made.normed else "raw"
            return LowRank(data("down"), data("up"), data("bias"), reads, made.eps)  # type: ignore[arg-type]
        case "Linear":
            return Linear(data("matrix"), data("bias"))
        case "Scale":
            return Scale(made.factor)
        case "FeedForward":
            return FeedForward(data("up"), data("up_bias"), data("down"), data("down_bias"))
        case "SwiGlu":
            return SwiGlu(data("gate"), data("up"), data("down"))
    raise AssertionError(f"no update of depthkit's is a {type(made).__name__}")


def _stock_config(config: PreTrainedConfig, own: OwnLayout) -> PreTrainedConfig:
    """The library's configuration of the stock model, with an entry per place in lists that have one per
    block."""
    family, places = own.family, own.places
    content = _stock_content(config.to_dict())
    layers = content[family.depth_key]
    for name, value in content.items():
        if is_per_block(name, value, layers, family):
            content[name] = [value[place.layer] for place in places]
    content[family.depth_key] = len(places)
    content["architectures"] = [family.architecture]
    if isinstance(start := content.get("max_window_layers"), int):
        first = (number for number, place in enumerate(places) if place.layer == start)
        content["max_window_layers"] = next(first, len(places))
    if family.dense_blocks is not None:
        dense = [number for number, place in enumerate(places) if _dense(config, family.dense_blocks, place)]
        listed = family.dense_blocks == "mlp_only_layers"
        content[family.dense_blocks] = dense if listed else max(dense, default=-1) + 1
    stock = CONFIG_MAPPING[family.model_type].from_dict(content)
    assert isinstance(stock, PreTrainedConfig)
    # What was chosen when it was loaded, and is not written into files.
    stock._attn_implementation = config._attn_implementation
    stock._experts_implementation = config._experts_implementation
    return stock


def _dense(config: PreTrainedConfig, key: str, place: PlaceInLayout) -> bool:
    return is_dense(config, key, place.layer) if place.side == "block" else bool(place.dense)


def _stock_content(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in _OF_THE_LAYOUT}
