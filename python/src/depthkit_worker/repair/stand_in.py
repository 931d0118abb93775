"""What a method would put in a removed unit's place, before it is fitted: of the right kind, with numbers
that mean nothing. For questions that only the kind answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import torch
from torch import Tensor, nn

from depthkit_worker.contract.wire import (
    BiasOptions,
    EmulatedUpdateOptions,
    FoldOptions,
    LoraOptions,
    LowRankOptions,
    PartialOptions,
    PatchOptions,
    RepairMethod,
    ReplacementBlockOptions,
    ScaleOptions,
)
from depthkit_worker.models.decoder import Decoder, edited_module
from depthkit_worker.models.stream_updates import Constant, FeedForward, Linear, LowRank, Scale, SwiGlu
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.adapters import places
from depthkit_worker.repair.fold import projection_of
from depthkit_worker.repair.gaps import Gap
from depthkit_worker.repair.low_rank import eps_of
from depthkit_worker.repair.repair import BlockEdit, Repair, update_at


def stand_in(decoder: Decoder, unit: Unit, options: RepairMethod, number: int) -> Repair:
    """The repair by `options` of `unit` alone, the `number`-th of those on top of each other.

    Raises what fitting it would where the method does not apply there."""
    method = str(options.__struct_config__.tag)
    return Repair(method, (unit,), _edits(decoder, unit, options), f"stand-in {number}")


def _edits(decoder: Decoder, unit: Unit, options: RepairMethod) -> Mapping[int, BlockEdit]:
    gap = Gap(unit.kind, unit.index, unit.index)
    match options:
        case FoldOptions():
            return _folded(decoder, gap, options)
        case LoraOptions():
            changed: dict[int, list[str]] = {}
            for place in places(decoder, _staying(decoder, unit), options.targets):
                changed.setdefault(place.block, []).append(f"{place.name}.weight")
            return {index: _unchanged(names) for index, names in changed.items()}
        case PartialOptions():
            return {
                index: _unchanged(_weights_of(decoder, index)) for index in _tuned(decoder, unit, options)
            }
        case ReplacementBlockOptions() if options.kind == "block":
            return {gap.first: BlockEdit(replacement=decoder.blocks[gap.first])}
        case _:
            return {gap.first: update_at(gap.slot(decoder.parallel), _update(decoder, options))}


def _update(
    decoder: Decoder,
    options: EmulatedUpdateOptions
    | BiasOptions
    | LowRankOptions
    | PatchOptions
    | ScaleOptions
    | ReplacementBlockOptions,
) -> nn.Module:
    hidden = decoder.hidden_size

    def zeros(*shape: int) -> Tensor:
        return torch.zeros((), dtype=decoder.dtype).expand(shape)

    match options:
        case EmulatedUpdateOptions() | BiasOptions():
            return Constant(zeros(hidden))
        case LowRankOptions():
            bias = zeros(hidden) if options.constant else None
            return LowRank(zeros(hidden, 1), zeros(1, hidden), bias, options.input, eps_of(decoder))
        case PatchOptions():
            return Linear(zeros(hidden, hidden))
        case ScaleOptions():
            return Scale(0.5)
        case ReplacementBlockOptions():
            if options.kind == "swiglu":
                return SwiGlu(zeros(hidden, 1), zeros(hidden, 1), zeros(1, hidden))
            return FeedForward(zeros(hidden, 1), zeros(1), zeros(1, hidden), zeros(hidden))
        case _:
            assert_never(options)


def _folded(decoder: Decoder, gap: Gap, options: FoldOptions) -> Mapping[int, BlockEdit]:
    index = gap.first - 1
    name, projection = projection_of(decoder, index, gap)
    names = [f"{name}.{own}" for own, _ in projection.named_parameters(recurse=False)]
    bias = Constant(torch.zeros(decoder.hidden_size, dtype=decoder.dtype))
    changes = {} if options.ridge is None else _unchanged(names).weights
    return {index: BlockEdit(after=bias, weights=changes)}


def _tuned(decoder: Decoder, unit: Unit, options: PartialOptions) -> list[int]:
    staying = _staying(decoder, unit)
    if options.tuned == "last":
        blocks = staying[-options.count :]
    else:
        blocks = [index for index in staying if abs(index - unit.index) <= options.count]
    return [*blocks, *([decoder.depth] if options.head else [])]


def _unchanged(names: list[str]) -> BlockEdit:
    return BlockEdit(weights=dict.fromkeys(names, _same))


def _same(weight: Tensor) -> Tensor:
    return weight


def _staying(decoder: Decoder, unit: Unit) -> list[int]:
    return [index for index in range(decoder.depth) if unit.kind != "block" or index != unit.index]


def _weights_of(decoder: Decoder, index: int) -> list[str]:
    own = [name for name, _ in edited_module(decoder, index).named_parameters()]
    return ["weight"] if index == decoder.depth else own
