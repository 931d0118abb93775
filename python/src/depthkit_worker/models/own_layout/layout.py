"""`config.layout` of a checkpoint in depthkit's own form, checked before anything is built from it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.units import Parts

Side = Literal["before", "block", "after"]

_PARTS = {"attention": Parts.ATTENTION, "feed-forward": Parts.FEED_FORWARD}
_SLOTS = ("before", "beside", "after")
_FIELDS: Mapping[str, frozenset[str]] = {
    "constant": frozenset(),
    "low-rank": frozenset({"rank", "bias", "reads", "eps"}),
    "linear": frozenset({"bias"}),
    "scale": frozenset({"factor"}),
    "feed-forward": frozenset({"width"}),
    "swiglu": frozenset({"width"}),
}
"""Of each kind of update, besides its kind."""
_WIDEST = 1 << 24


@dataclass(frozen=True)
class PlaceInLayout:
    """What runs in one place of the checkpoint, from the bottom up: a block of the model as depthkit sees
    it."""

    layer: int
    """The attention's number; a place without one belongs to the layer of the attention that it follows."""
    side: Side
    position: int
    """Among those on its side of the layer."""
    made_from: int
    """The block's number in the model that was exported."""
    absent: Parts
    dense: bool | None
    """Mixture of experts: what the feed-forward is where its layer does not say it."""
    updates: tuple[str, ...]
    """Kinds, in the order they run."""


def read_layout(folder: Path, layout: object, layers: int) -> tuple[PlaceInLayout, ...]:
    """The places of a checkpoint with `layers` layers."""
    if not isinstance(layout, list) or len(layout) != layers:
        _refuse(folder, f"layout has no entry for each of the {layers} layers")
    return tuple(_places(folder, layout))


def _places(folder: Path, layout: list[Any]) -> Iterator[PlaceInLayout]:
    for layer, entry in enumerate(layout):
        where = f"layout[{layer}]"
        if not isinstance(entry, dict) or set(entry) != {"before", "block", "after"}:
            _refuse(folder, f"{where} is not before, block and after")
        sides: list[tuple[Side, Any]] = [
            ("before", entry["before"]),
            ("block", [entry["block"]]),
            ("after", entry["after"]),
        ]
        for side, listed in sides:
            if not isinstance(listed, list):
                _refuse(folder, f"{where}.{side} is no list")
            for position, place in enumerate(listed):
                yield _place(folder, f"{where}.{side}[{position}]", layer, side, position, place)


def _place(folder: Path, where: str, layer: int, side: Side, position: int, place: Any) -> PlaceInLayout:
    if not isinstance(place, dict) or not {"from", "without", "updates"} <= set(place):
        _refuse(folder, f"{where} does not say from, without and updates")
    unknown = set(place) - {"from", "without", "updates", "dense"}
    made_from, without, updates, dense = (
        place["from"],
        place["without"],
        place["updates"],
        place.get("dense"),
    )
    if unknown:
        _refuse(folder, f"{where} has {', '.join(sorted(unknown))}, which this depthkit does not know")
    if not _is_count(made_from, 0) or dense not in (None, True, False):
        _refuse(folder, f"{where} has from {made_from!r} and dense {dense!r}")
    if not isinstance(without, list) or not all(isinstance(name, str) and name in _PARTS for name in without):
        _refuse(folder, f"{where}.without is {without!r}, and {' and '.join(_PARTS)} are what can be gone")
    absent = Parts.NONE
    for name in without:
        absent |= _PARTS[name]
    if (side == "block") is (Parts.ATTENTION in absent):
        _refuse(folder, f"{where} is without {without!r}: the block of a layer has an attention, others none")
    if not isinstance(updates, dict) or not set(updates) <= set(_SLOTS):
        _refuse(folder, f"{where}.updates is not what stands {', '.join(_SLOTS)}")
    if absent is Parts.BOTH and not updates:
        _refuse(folder, f"{where} holds nothing")
    kinds = tuple(
        _kind(folder, f"{where}.updates.{slot}", updates[slot]) for slot in _SLOTS if slot in updates
    )
    return PlaceInLayout(layer, side, position, made_from, absent, dense, kinds)


def _kind(folder: Path, where: str, spec: Any) -> str:
    kind = spec.get("kind") if isinstance(spec, dict) else None
    if not isinstance(kind, str) or kind not in _FIELDS or set(spec) != {"kind", *_FIELDS[kind]}:
        _refuse(folder, f"{where} is {spec!r}, and kinds are {', '.join(_FIELDS)}, each with its fields")
    right: Mapping[str, Callable[[Any], bool]] = {
        "rank": lambda value: _is_count(value, 1),
        "width": lambda value: _is_count(value, 1),
        "bias": lambda value: isinstance(value, bool),
        "reads": lambda value: value in ("normed", "raw"),
        "eps": lambda value: _is_number(value) and value >= 0,
        "factor": lambda value: _is_number(value) and value > 0,
    }
    for field in sorted(_FIELDS[kind]):
        if not right[field](spec[field]):
            _refuse(folder, f"{where}.{field} is {spec[field]!r}")
    return kind


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= _WIDEST


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _refuse(folder: Path, reason: str) -> NoReturn:
    path = folder / "config.json"
    raise DepthkitError(
        "MODEL_INVALID",
        f"{path} is no configuration of depthkit's own layout: {reason}. Compare it with the one that was "
        "exported.",
        path=str(path),
    )
