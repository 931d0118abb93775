"""The highest memory a stretch of work took: in all, or beside the weights."""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from depthkit_worker.contract.wire import MemoryCountedBy
from depthkit_worker.memory.process import peak_resident_bytes

CLEAR = Path("/proc/self/clear_refs")
RESET_PEAK = "5"


class PeakMemory:
    """Of the process on CPU, of the devices' tensors on GPUs, from when this is made. Several GPUs need not
    have their highest at one time: their sum is never too low."""

    def __init__(self, *devices: torch.device) -> None:
        self._gpus = _gpus(devices)
        for gpu in self._gpus:
            torch.cuda.reset_peak_memory_stats(gpu)
        if not self._gpus and sys.platform == "linux":
            # Without it the peak is that of the process's whole life, which is never too low.
            with contextlib.suppress(OSError):
                CLEAR.write_text(RESET_PEAK)

    def bytes(self) -> int:
        if self._gpus:
            return sum(map(torch.cuda.max_memory_allocated, self._gpus))
        return peak_resident_bytes()


def _gpus(devices: Iterable[torch.device]) -> list[torch.device]:
    return [device for device in devices if device.type == "cuda"]


@dataclass
class Peak:
    bytes: int = 0
    """The most that was held at one time beyond what was there before."""


def counted_by(devices: Iterable[torch.device]) -> MemoryCountedBy:
    """Who counts on `devices`: on GPUs, where there are some. A CPU's allocator tells nothing that is true of
    one piece of work: freed memory stays with the process. There the tensors alive are counted, without
    kernels' scratch space."""
    return "allocator" if _gpus(devices) else "tensors"


@contextmanager
def peak_beside(devices: Sequence[torch.device], weights: Iterable[Tensor]) -> Iterator[Peak]:
    """Inside, memory is watched; afterwards the peak holds the result. Slows work down: not for timing."""
    peak = Peak()
    gpus = _gpus(devices)
    if gpus:
        _synchronize(gpus)
        before = sum(map(torch.cuda.memory_allocated, gpus))
        memory = PeakMemory(*gpus)
        yield peak
        _synchronize(gpus)
        peak.bytes = memory.bytes() - before
        return
    with _LiveTensors(weights) as live:
        yield peak
    peak.bytes = live.highest


def _synchronize(gpus: Iterable[torch.device]) -> None:
    for gpu in gpus:
        torch.cuda.synchronize(gpu)


class _LiveTensors(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds a storage's bytes where an operation makes it, and takes them off when it is freed."""

    def __init__(self, weights: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        # Views of weights come out of operations too, and are nothing new.
        self._known = {weight.untyped_storage()._cdata for weight in weights}
        self._live = 0
        self.highest = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._see(leaf)
        return result

    def _see(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self._live += size
        self.highest = max(self.highest, self._live)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._live -= size
