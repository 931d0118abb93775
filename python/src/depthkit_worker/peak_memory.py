"""The highest memory a stretch of work took: of the process on CPU, of the device's tensors on a GPU."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import torch

from depthkit_worker.process_memory import peak_resident_bytes

CLEAR = Path("/proc/self/clear_refs")
RESET_PEAK = "5"


class PeakMemory:
    """Starts to watch when it is made."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        elif sys.platform == "linux":
            # Without it the peak is that of the process's whole life, which is never too low.
            with contextlib.suppress(OSError):
                CLEAR.write_text(RESET_PEAK)

    def bytes(self) -> int:
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        return peak_resident_bytes()
