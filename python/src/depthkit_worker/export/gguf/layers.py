"""The layers of a GGUF file, drawn from what runs in each block's place.

A layer is an attention and a feed-forward, either of which may be missing where the architecture allows that.
A constant goes into the output bias of the layer below it, a low-rank update on the normed stream is a
feed-forward whose gate is constant, and a factor of the stream is folded into the layers above.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn

from depthkit_worker.export.block_places import Place
from depthkit_worker.export.constants_and_factors import SLOTS
from depthkit_worker.models.stand_ins import Slot
from depthkit_worker.models.stream_updates import Constant, LowRank, Scale


@dataclass
class Layer:
    index: int
    """The number that its block, or the gap it fills, has in the whole model."""
    attention: Place | None
    feed_forward: Place | LowRank | None
    factor: float
    """What it adds to the stream is multiplied by this."""
    bias: Tensor | None = None
    """fp64 (hidden,), on the CPU: added to the stream behind it."""

    @property
    def whole(self) -> bool:
        return self.attention is not None and self.attention is self.feed_forward


@dataclass
class Layers:
    """From the bottom up. The file's stream is the live one divided by the product of the factors so far."""

    layers: list[Layer] = field(default_factory=list)
    entry_factor: float = 1.0
    """Of what every token gets in front of the first layer."""
    entry_vector: Tensor | None = None
    """fp64 (hidden,): added to that afterwards."""
    _product: float = 1.0

    def add(self, vector: Tensor) -> None:
        vector = vector.detach().double().cpu()
        if not self.layers:
            self.entry_vector = vector if self.entry_vector is None else self.entry_vector + vector
            return
        last, vector = self.layers[-1], vector / self._product
        last.bias = vector if last.bias is None else last.bias + vector

    def multiply(self, factor: float) -> None:
        if not self.layers:
            self.entry_factor *= factor
            self.entry_vector = None if self.entry_vector is None else self.entry_vector * factor
        else:
            self._product *= factor

    def block(self, place: Place) -> None:
        attention = place if place.has_attention else None
        self._put(place.index, attention, place if place.has_feed_forward else None)

    def low_rank(self, index: int, update: LowRank) -> None:
        last = self.layers[-1] if self.layers else None
        if last is not None and last.feed_forward is None and last.bias is None:
            same_factor = last.factor == 1 / self._product
            if same_factor:
                last.feed_forward = update
                return
        self._put(index, None, update)

    def _put(self, index: int, attention: Place | None, feed_forward: Place | LowRank | None) -> None:
        self.layers.append(Layer(index, attention, feed_forward, 1 / self._product))


def layers_of(places: Sequence[Place], eps: float | None) -> Layers | str:
    """What `places` are in a GGUF file, or why nothing in one holds them. `eps`: of the model's root mean
    square norms; None where it has none."""
    layers = Layers()
    for place in places:
        for slot in SLOTS:
            if slot == "beside" and place.block is not None:
                layers.block(place)
            update = place.updates.get(slot)
            if update is not None and (fault := _add(layers, place, slot, update, eps)) is not None:
                return fault
    return layers


def _add(layers: Layers, place: Place, slot: Slot, update: nn.Module, eps: float | None) -> str | None:
    """Add an update, or say why no layer of a GGUF file can be it."""
    reads_block_input = slot == "beside" and place.block is not None
    match update:
        case Constant():
            layers.add(update.vector)
        case Scale() if not reads_block_input:
            layers.multiply(update.factor)
        case LowRank() if update.reads == "normed" and not reads_block_input:
            if update.eps != eps:
                return (
                    f"the low-rank update at block {place.index} has a norm with the epsilon {update.eps:g}, "
                    f"and a GGUF file has one for all of its norms: {'none' if eps is None else f'{eps:g}'}"
                )
            layers.low_rank(place.index, update)
        case LowRank() if not reads_block_input:
            return (
                f"the low-rank update at block {place.index} reads the raw stream, and every sublayer of a "
                'GGUF file reads the normed one; fit it with input "normed"'
            )
        case _:
            kind = getattr(update, "kind", type(update).__name__)
            return f"the {kind} update at block {place.index} has no form in a GGUF file"
    return None
