"""What constants and factors on the stream, from the bottom up, come to in a plain checkpoint.

The stream of the live model is z. Where a factor s stands behind some block, the checkpoint's stream above it
is y = z / S, S the product of the factors so far: every block reads it through a norm, to which the size of
the stream is nothing but for the norm's epsilon, and what it adds is divided by S. The stream only grows
along the depth, so that the epsilon weighs less there than below the gap, where a factor could be multiplied
in as well. Factors in front of the first block go into what every token gets there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

import torch
from torch import Tensor, nn

from depthkit_worker.export.block_places import Place
from depthkit_worker.models.stand_ins import Slot
from depthkit_worker.models.stream_updates import Constant, Scale

SLOTS: tuple[Slot, ...] = get_args(Slot)
"""In the order they run."""
WRITERS = {
    "o_proj",
    "out_proj",
    "c_proj",
    "dense",
    "down_proj",
    "down_proj_bias",
    "dense_4h_to_h",
    "fc2",
    "fc_out",
}
"""What families call the modules, or tensors of experts, whose output is added to the stream."""


@dataclass
class Stream:
    """The checkpoint's stream beside the live one. Vectors are fp64 on the CPU."""

    entry_factor: float = 1.0
    """Of what every token gets in front of the first block."""
    entry_vector: Tensor | None = None
    """Added to that afterwards."""
    factors: dict[int, float] = field(default_factory=dict)
    """By a block's new number: what its updates are multiplied by, where that is not 1."""
    vectors: dict[int, Tensor] = field(default_factory=dict)
    """By a block's new number: added behind it."""
    _blocks: int = 0
    """So far, like the product."""
    _product: float = 1.0

    def add(self, vector: Tensor) -> None:
        vector = vector.detach().double().cpu()
        if self._blocks == 0:
            self.entry_vector = vector if self.entry_vector is None else self.entry_vector + vector
            return
        vector, last = vector / self._product, self._blocks - 1
        self.vectors[last] = self.vectors[last] + vector if last in self.vectors else vector

    def multiply(self, factor: float) -> None:
        if self._blocks == 0:
            self.entry_factor *= factor
            self.entry_vector = None if self.entry_vector is None else self.entry_vector * factor
        else:
            self._product *= factor

    def block(self) -> None:
        if self._product != 1:
            self.factors[self._blocks] = 1 / self._product
        self._blocks += 1


def stream_of(places: Sequence[Place]) -> Stream | str:
    """What `places` come to, or why no plain checkpoint holds it."""
    stream = Stream()
    for place in places:
        for slot in SLOTS:
            if slot == "beside" and place.block is not None:
                stream.block()
            match place.updates.get(slot):
                case None:
                    pass
                case Constant() as update:
                    stream.add(update.vector)
                case Scale() as update if slot != "beside" or place.block is None:
                    stream.multiply(update.factor)
                case update:
                    kind = getattr(update, "kind", type(update).__name__)
                    where = f"the {kind} update at block {place.index}"
                    return f"{where} depends on the token, so no bias can hold it"
    return stream


def writers(block: nn.Module) -> list[str]:
    """The parameters of `block` that what it adds to the stream is linear in, by their names in it."""
    return [name for name, _ in block.named_parameters() if set(name.split(".")) & WRITERS]


def grown(tensor: Tensor, vector: Tensor) -> Tensor:
    """`tensor` with `vector` (hidden,) added to it or to each of its rows: in fp32, cast once."""
    wide = torch.promote_types(tensor.dtype, torch.float32)
    return (tensor.to(wide) + vector.to(tensor.device, wide)).to(tensor.dtype)


def scaled(tensor: Tensor, factor: float) -> Tensor:
    """`tensor` times `factor`: in fp32, cast once."""
    wide = torch.promote_types(tensor.dtype, torch.float32)
    return (tensor.to(wide) * factor).to(tensor.dtype)
