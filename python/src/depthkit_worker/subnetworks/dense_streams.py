"""The whole model's stream in front of some blocks, kept from one evaluation to the next: a search that asks
for one set after the other has each begin at the first block that it loses, or near it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Imported before the handshake: nothing heavy here.
    from torch import Tensor

MOST_BYTES = 1 << 28
"""Of all streams that are kept, in main memory."""

Batch = tuple[int, int]
"""The first sequence and the end."""


class DenseStreams:
    """Those of several models and data, up to `most_bytes`; the ones used last stay."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[tuple[object, Batch, int], Tensor] = OrderedDict()
        self._bytes = 0

    def of(self, *scope: object) -> DenseStreamsOf:
        """Under all that determines them but the batch: handles, which no other object ever has, and what
        else the pass depends on."""
        return DenseStreamsOf(self, scope)

    def clear(self) -> None:
        self._kept.clear()
        self._bytes = 0

    def highest(self, scope: object, batch: Batch, boundary: int) -> tuple[int, Tensor] | None:
        for block in range(boundary, 0, -1):
            key = (scope, batch, block)
            if key in self._kept:
                self._kept.move_to_end(key)
                return block, self._kept[key]
        return None

    def keep(self, scope: object, batch: Batch, boundary: int, stream: Tensor) -> None:
        key = (scope, batch, boundary)
        if key in self._kept or stream.nbytes > self._most:
            return
        self._kept[key] = stream
        self._bytes += stream.nbytes
        while self._bytes > self._most:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes


@dataclass(frozen=True)
class DenseStreamsOf:
    """Those of one model on one text."""

    streams: DenseStreams
    scope: object

    def highest(self, batch: Batch, boundary: int) -> tuple[int, Tensor] | None:
        """The highest block up to `boundary` in front of which a stream (batch, sequence, hidden) is kept,
        and that stream."""
        return self.streams.highest(self.scope, batch, boundary)

    def keep(self, batch: Batch, boundary: int, stream: Tensor) -> None:
        self.streams.keep(self.scope, batch, boundary, stream)
