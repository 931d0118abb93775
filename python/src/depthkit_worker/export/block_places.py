"""What runs in each block's place of a subnetwork: the block, another in its stead, or updates alone. Every
export format is drawn from this picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from depthkit_worker.models.decoder import edited_module
from depthkit_worker.models.units import Parts
from depthkit_worker.repair.repair import BlockEdit, Slot
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
    """The sublayers that `block` runs without; BOTH where there is none."""
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
        return {name: self._written(name, own) for name, own in self.block.state_dict().items()}

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
    edits, blocks = subnetwork.edits, subnetwork.decoder.blocks
    places = []
    for index, lost in enumerate(subnetwork.lost):
        edit = edits.get(index, BlockEdit())
        if edit.replacement is not None:
            places.append(Place(index, edit.replacement, Parts.NONE, edit.updates, edit.weights, True))
        elif lost is not Parts.BOTH:
            places.append(Place(index, blocks[index], lost, edit.updates, edit.weights, False))
        elif edit.updates:
            places.append(Place(index, None, lost, edit.updates, {}, False))
    return tuple(places)
