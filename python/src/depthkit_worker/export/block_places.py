"""What runs in each block's place of a subnetwork: the block, another in its stead, or updates alone. Every
export format is drawn from this picture."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from torch import Tensor, nn

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import edited_module
from depthkit_worker.models.stand_ins import UPDATES, Slot, own_updates
from depthkit_worker.models.units import Parts
from depthkit_worker.repair.repair import BlockEdit
from depthkit_worker.repair.weight_changes import WeightChange
from depthkit_worker.subnetworks.subnetwork import Subnetwork


@dataclass(frozen=True)
class Place:
    """One block's place in which something runs."""

    index: int
    """The block's number in the whole model."""
    block: nn.Module | None
    """The block, or the one in its place; None where only updates are left."""
    lost: Parts
    """The sublayers that `block` runs without, absent ones included; BOTH where there is none."""
    updates: Mapping[Slot, nn.Module]
    """By slot, as in `BlockEdit`, in the order they run."""
    weights: Mapping[str, WeightChange]
    replaced: bool

    @property
    def has_attention(self) -> bool:
        return Parts.ATTENTION not in self.lost

    @property
    def has_feed_forward(self) -> bool:
        return Parts.FEED_FORWARD not in self.lost

    @property
    def whole(self) -> bool:
        return self.lost is Parts.NONE

    def tensors(self) -> dict[str, Tensor]:
        """The block's tensors by their names in it, changes made in fp32 and cast once. Those that do
        not change share memory with the live model."""
        if self.block is None:
            return {}
        return {
            name: self._written(name, own)
            for name, own in self.block.state_dict().items()
            if not name.startswith(f"{UPDATES}.")
        }

    def tensor(self, name: str) -> Tensor:
        """One of them."""
        assert self.block is not None
        return self._written(name, self.block.state_dict()[name])

    def _written(self, name: str, own: Tensor) -> Tensor:
        return self.weights[name](own.detach()) if name in self.weights else own


def head_of(subnetwork: Subnetwork) -> Tensor | None:
    """The head's weight as repairs made it, (vocabulary, hidden); None: the model's own."""
    decoder = subnetwork.decoder
    edit = subnetwork.edits.get(decoder.depth)
    if edit is None:
        return None
    weight = edited_module(decoder, decoder.depth).get_parameter("weight")
    return edit.weights["weight"](weight.detach())


def places_of(subnetwork: Subnetwork) -> tuple[Place, ...]:
    """From the bottom up. Places where nothing runs are left out."""
    decoder, edits = subnetwork.decoder, subnetwork.edits
    places = []
    for index, lost in enumerate(subnetwork.lost):
        edit, block = edits.get(index, BlockEdit()), decoder.blocks[index]
        if edit.replacement is not None:
            places.append(Place(index, edit.replacement, Parts.NONE, edit.updates, edit.weights, True))
            continue
        if lost is Parts.BOTH:  # and what was the block's own with it
            if edit.updates:
                places.append(Place(index, None, lost, edit.updates, {}, False))
            continue
        updates = _updates(block, edit)
        if lost | decoder.absent[index] is not Parts.BOTH:
            places.append(Place(index, block, lost | decoder.absent[index], updates, edit.weights, False))
        elif updates:
            places.append(Place(index, None, Parts.BOTH, updates, {}, False))
    return tuple(places)


def _updates(block: nn.Module, edit: BlockEdit) -> dict[Slot, nn.Module]:
    """Those of the block's own, as `edit` changes them, and those that `edit` brings."""
    found: dict[Slot, nn.Module] = {}
    for slot, update in (own_updates(block) | edit.updates).items():
        own = own_updates(block).get(slot)
        if own is not None and slot in edit.updates:
            raise DepthkitError(
                "EXPORT_UNSUPPORTED",
                f"A repair puts an update {slot} a block that has one there in the checkpoint that was "
                "loaded, and a checkpoint has one place for both. Leave the repair out, or remove the block.",
                slot=slot,
            )
        found[slot] = update if own is None else _changed(slot, own, edit)
    return {slot: found[slot] for slot in get_args(Slot) if slot in found}


def _changed(slot: Slot, own: nn.Module, edit: BlockEdit) -> nn.Module:
    """An update of the block's own with the values that a repair gave its parameters."""
    prefix = f"{UPDATES}.{slot}."
    changes = {
        name.removeprefix(prefix): change for name, change in edit.weights.items() if name.startswith(prefix)
    }
    if not changes:
        return own
    changed = copy.deepcopy(own)
    for name, change in changes.items():
        value = change(own.get_parameter(name).detach())
        setattr(changed, name, nn.Parameter(value, requires_grad=False))
    return changed
