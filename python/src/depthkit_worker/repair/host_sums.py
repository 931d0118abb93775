"""Sums of products that are too many for a device: each product is computed there and added up in main
memory, so that the device holds those of one gap at a time, whatever the number of gaps."""

from __future__ import annotations

import torch
from torch import Tensor

from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.process import machine_bytes
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.repair.fitting import Base

DEVICE_BYTES = 1 << 30
"""Sums up to here stay where they are computed, which is several times as fast."""
FP64 = torch.float64.itemsize


class HostSums:
    """Adds what a device computed to sums in main memory."""

    def __init__(self) -> None:
        self._page_locked: Tensor | None = None

    def begin(self, part: Tensor) -> Tensor:
        """A sum of `part` alone."""
        return part.cpu()

    def add(self, total: Tensor, part: Tensor) -> None:
        if part.device.type != "cuda":
            total += part.cpu()
            return
        # Copied to ordinary memory a product takes several times as long.
        if self._page_locked is None or self._page_locked.shape != part.shape:
            self._page_locked = torch.empty(part.shape, dtype=part.dtype, pin_memory=True)
        total += self._page_locked.copy_(part)


def host_sums(base: Base, gaps: int, choosing: bool = False) -> HostSums | None:
    """Where the second moments of so many gaps are added up; None: where they are computed. `choosing`:
    whether held-out tokens have sums of their own. Refuses what the machine has no memory for."""
    needed = products_bytes(base, gaps, choosing)
    _check_room(base.decoder, gaps, needed)
    return HostSums() if base.decoder.device.type != "cpu" and needed > DEVICE_BYTES else None


def products_bytes(base: Base, gaps: int, choosing: bool = False) -> int:
    """Of the second moments of so many gaps, `choosing` as above."""
    width = base.decoder.hidden_size
    apart = 1 + (base.options.skip_tokens > 0) + choosing
    return gaps * apart * 2 * width * width * FP64


def _check_room(decoder: Decoder, gaps: int, needed: int) -> None:
    room = machine_bytes()
    if needed <= room:
        return
    raise DepthkitError(
        "OUT_OF_MEMORY",
        f"Fitting {gaps} gaps of a stream {decoder.hidden_size} wide takes sums of {needed / 2**30:.1f} GiB, "
        f"and this machine has {room / 2**30:.1f} GiB of memory. Fit fewer gaps at a time, skip no first "
        "tokens, or give the ridge a number.",
        needed=needed,
        available=room,
    )
