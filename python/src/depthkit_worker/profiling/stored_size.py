"""What a model takes in its files: by the dtype that its weights are stored in, or, where they are quantised,
by the tensors themselves."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stored_weights import in_block
from depthkit_worker.models.units import Unit


def stored_size(decoder: Decoder, parameters: int, without: Iterable[Unit] = ()) -> int:
    """Bytes of a model of so many `parameters`, that is `decoder` without units."""
    if decoder.source.quantisation is None:
        return parameters * int(getattr(torch, decoder.source.stored_dtype).itemsize)
    return sum(decoder.source.stored_bytes.values()) - sum(_quantised(decoder, unit) for unit in set(without))


def _quantised(decoder: Decoder, unit: Unit) -> int:
    children = {
        "block": (),
        "attention": (decoder.family.attention,),
        "feed-forward": decoder.family.feed_forward,
    }[unit.kind]
    total = 0
    for name, size in decoder.source.stored_bytes.items():
        block, rest = in_block(name)
        if block == unit.index and (not children or rest.partition(".")[0] in children):
            total += size
    return total
