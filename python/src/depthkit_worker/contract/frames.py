"""Tensor frames as memory views: checked against their headers, never copied."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from depthkit_worker.contract.envelope import TensorHeader
from depthkit_worker.errors import DepthkitError

ITEM_SIZES = {"float64": 8, "float32": 4, "int32": 4, "uint32": 4, "uint8": 1}


class Frame(NamedTuple):
    """A dense row-major array as it crosses the wire."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview


def read_frames(headers: Sequence[TensorHeader], buffers: Sequence[memoryview]) -> list[Frame]:
    """Pair headers with buffers; raises PROTOCOL where a count, dtype or length does not fit."""
    if len(headers) != len(buffers):
        raise DepthkitError(
            "PROTOCOL", f"A message announced {len(headers)} tensor frames and brought {len(buffers)}."
        )
    frames = []
    for header, buffer in zip(headers, buffers, strict=True):
        size = ITEM_SIZES.get(header.d)
        if size is None:
            raise DepthkitError(
                "PROTOCOL", f'A tensor frame has dtype "{header.d}"; known: {", ".join(ITEM_SIZES)}.'
            )
        if min(header.s, default=0) < 0 or buffer.nbytes != prod(header.s) * size:
            raise DepthkitError(
                "PROTOCOL",
                f"A tensor frame of {buffer.nbytes} bytes was announced as {header.d} {header.s}.",
            )
        frames.append(Frame(header.d, tuple(header.s), buffer))
    return frames
