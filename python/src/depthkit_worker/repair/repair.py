"""A repair: what takes the place of removed units, or heals the blocks that stay, as the engine and the
gates apply it. The files named after methods make them.

A repair says what becomes of each block it touches. Its modules see the residual stream and nothing
inside a block, so that one description fits every family: a removed attention of a sequential block is
made up for in front of the block, a removed feed-forward behind it; in a parallel block both read the
block's input and add to its output.

Where more is removed than a repair was made for, its changes to weights that are gone go with them. What it
put in a gap stays; one that works inside a sublayer, as a fold does, cannot be there without it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor, nn

from depthkit_worker.contract.wire import UnitKind
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.families import Family
from depthkit_worker.models.stand_ins import Slot
from depthkit_worker.models.units import Parts, Unit, removed_parts, units_of
from depthkit_worker.repair.weight_changes import InTurn, WeightChange

PARTS_OF: Mapping[UnitKind, tuple[Parts, ...]] = {
    "block": (Parts.ATTENTION, Parts.FEED_FORWARD),
    "attention": (Parts.ATTENTION,),
    "feed-forward": (Parts.FEED_FORWARD,),
}


@dataclass(frozen=True, eq=False)
class BlockEdit:
    """What one block becomes. An *update* is a module from a stream (batch, sequence, hidden) to what is
    added to it, of the same shape."""

    before: nn.Module | None = None
    """Update of the stream in front of the block."""
    beside: nn.Module | None = None
    """Update read from what the block reads, added to what the block gives. For a removed block, or a
    run of them that begins here, it stands in the block's place."""
    after: nn.Module | None = None
    """Update of the stream behind the block."""
    replacement: nn.Module | None = None
    """A decoder block of the model's own class that runs in the removed block's place."""
    weights: Mapping[str, WeightChange] = field(default_factory=dict)
    """Changes to the block's parameters, by their names in the block."""

    @property
    def empty(self) -> bool:
        return not self.weights and not self.modules

    @property
    def updates(self) -> dict[Slot, nn.Module]:
        """Those there are, by their place, in the order they run."""
        slots: dict[Slot, nn.Module | None] = {
            "before": self.before,
            "beside": self.beside,
            "after": self.after,
        }
        return {slot: update for slot, update in slots.items() if update is not None}

    @property
    def modules(self) -> dict[str, nn.Module]:
        """The updates and the replacement, by the field that holds each."""
        return self.updates | ({} if self.replacement is None else {"replacement": self.replacement})


@dataclass(frozen=True, eq=False)
class Repair:
    """An immutable value, made for one model. It fills one gap, or heals what is left of the model."""

    method: str
    removed: tuple[Unit, ...]
    """The units whose removal it makes up for, in order: it applies wherever all of them are removed."""
    edits: Mapping[int, BlockEdit]
    """By the block's number. The output head counts as the block behind the last one; it only has weights."""
    digest: str
    """sha256 of all that determines what it does; see `make_repair`."""
    base: tuple[str, ...] = ()
    """Digests of the repairs it was made on top of, without which it means nothing."""
    settings: str = "{}"
    """How it was made, as JSON: what determines the tensors, besides the corpus."""

    @property
    def modules(self) -> list[nn.Module]:
        """All that it puts into the model; none where it only changes weights."""
        return [module for edit in self.edits.values() for module in edit.modules.values()]


def update_at(slot: Slot, update: nn.Module) -> BlockEdit:
    match slot:
        case "before":
            return BlockEdit(before=update)
        case "beside":
            return BlockEdit(beside=update)
        case "after":
            return BlockEdit(after=update)


def slot_of(kind: UnitKind, parallel: bool) -> Slot:
    """The field of `BlockEdit` where an update in a removed unit's place goes."""
    if kind == "block" or parallel:
        return "beside"
    return "before" if kind == "attention" else "after"


class _Together(nn.Module):
    """Updates that read the same stream and are added to it together."""

    def __init__(self, updates: Sequence[nn.Module]) -> None:
        super().__init__()
        self._updates = nn.ModuleList(updates)

    def forward(self, x: Tensor) -> Tensor:
        total: Tensor = self._updates[0](x)
        for update in self._updates[1:]:
            total = total + update(x)
        return total


def edits_of(repairs: Sequence[Repair], lost: Sequence[Parts], family: Family) -> dict[int, BlockEdit]:
    """What several repairs, in the order they were made, do to the blocks of one subnetwork, by the block's
    number; `lost` is what each block loses."""
    check_apart(repairs)
    touched = sorted({index for repair in repairs for index in repair.edits})
    head = Parts.NONE
    edits = {
        index: edit_of(repairs, index, lost[index] if index < len(lost) else head, family)
        for index in touched
    }
    return {index: edit for index, edit in edits.items() if not edit.empty}


def edit_of(repairs: Sequence[Repair], index: int, lost: Parts, family: Family) -> BlockEdit:
    """The same for one block. It is empty where all that they change is gone."""
    merged: BlockEdit | None = None
    for repair in repairs:
        edit = repair.edits.get(index)
        if edit is None:
            continue
        # Weights changed after a replacement are the replacement's, which is whole.
        if lost and edit.weights and (merged is None or merged.replacement is None):
            there = {
                name: change for name, change in edit.weights.items() if not part_of(name, family) & lost
            }
            edit = replace(edit, weights=there)
        merged = edit if merged is None else _merge(merged, edit)
    return BlockEdit() if merged is None else merged


def part_of(parameter: str, family: Family) -> Parts:
    """The parts of a block whose removal takes a parameter of it along, by its name in the block."""
    child = parameter.partition(".")[0]
    if child == family.attention:
        return Parts.ATTENTION
    return Parts.FEED_FORWARD if child in family.feed_forward else Parts.BOTH


def carriers(repair: Repair, family: Family) -> dict[int, Parts]:
    """The sublayers that a repair works inside: it fills its gap by changing their weights, and means nothing
    without them. By the block's number. What only heals the blocks that stay has none."""
    return {
        index: functools.reduce(Parts.__or__, (part_of(name, family) for name in edit.weights))
        for index, edit in repair.edits.items()
        if edit.weights and edit.updates
    }


def check_apart(repairs: Sequence[Repair]) -> None:
    """Refuse two repairs that put something in the same gap."""
    filled: dict[tuple[int, Parts], Repair] = {}
    for repair in repairs:
        if not repair.modules:
            continue  # it changes weights of blocks that stay
        for unit in repair.removed:
            for part in PARTS_OF[unit.kind]:
                other = filled.setdefault((unit.index, part), repair)
                if other is not repair:
                    raise DepthkitError(
                        "INVALID_ARGUMENT",
                        f"Two repairs stand in for {unit}: {other.method} and {repair.method}. One place "
                        "takes one; leave out one of them, or heal the blocks that stay with lora.",
                        unit=str(unit),
                        methods=[other.method, repair.method],
                    )


def _merge(first: BlockEdit, second: BlockEdit) -> BlockEdit:
    weights = dict(first.weights)
    for name, change in second.weights.items():
        weights[name] = InTurn(weights[name], change) if name in weights else change
    return BlockEdit(
        before=_both(first.before, second.before),
        beside=_both(first.beside, second.beside),
        after=_both(first.after, second.after),
        replacement=first.replacement or second.replacement,
        weights=weights,
    )


def _both(first: nn.Module | None, second: nn.Module | None) -> nn.Module | None:
    if first is None or second is None:
        return first or second
    return _Together((first, second))


def check_repairs(repairs: Sequence[Repair], removed: Sequence[Unit], depth: int, family: Family) -> None:
    """Refuse a repair of what is not removed, one without the sublayer it works inside, and one without the
    repairs it was made on top of."""
    gone = removed_parts(removed, depth)
    before: list[str] = []
    for repair in repairs:
        needed = removed_parts(repair.removed, depth)
        if any(need not in there for need, there in zip(needed, gone, strict=True)):
            raise DepthkitError(
                "INVALID_ARGUMENT",
                f"The repair {repair.method} makes up for {_listed(repair.removed)}, and the subnetwork is "
                f"without {_listed(removed)}. Remove those units too, or leave the repair out.",
                method=repair.method,
                repairs=[str(unit) for unit in repair.removed],
                removed=[str(unit) for unit in removed],
            )
        for index, parts in carriers(repair, family).items():
            if parts & gone[index]:
                inside = units_of([*[Parts.NONE] * index, parts])[0]
                raise DepthkitError(
                    "INVALID_ARGUMENT",
                    f"The repair {repair.method} makes up for {_listed(repair.removed)} from inside "
                    f"{inside}, and the subnetwork is without {_listed(removed)}. Keep {inside}, or leave "
                    "the repair out and make another one of what is removed now.",
                    method=repair.method,
                    inside=str(inside),
                    removed=[str(unit) for unit in removed],
                )
        missing = [digest for digest in repair.base if digest not in before]
        if missing:
            raise DepthkitError(
                "INVALID_ARGUMENT",
                f"The repair {repair.method} was made on top of another one ({missing[0][:12]}), which is "
                "not applied before it. Apply them in the order they were made.",
                method=repair.method,
                missing=missing,
            )
        before.append(repair.digest)


def _listed(units: Sequence[Unit]) -> str:
    return ", ".join(str(unit) for unit in units) or "nothing"
