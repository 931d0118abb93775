"""How many actors a cluster has room for, and what each of them takes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MOST_CORES = 8
"""What a batch on a CPU keeps busy (docs/engine.md): a larger node takes several actors."""


@dataclass(frozen=True)
class Need:
    """What one actor takes of its node."""

    cpus: float
    gpus: int

    @property
    def threads(self) -> int:
        return max(1, math.floor(self.cpus))


def need_of(nodes: Sequence[Mapping[str, float]], gpus: int, wanted: int | None) -> Need:
    """What an actor of a model on `gpus` GPUs takes, on nodes with so much of `CPU` and `GPU`. `wanted`: so
    many actors; on CPUs they then take fewer cores each, down to parts of one."""
    if gpus > 0:
        # A core for each, or less where a node has more GPUs than cores.
        shares = [node.get("CPU", 0) / slots for node in nodes if (slots := node.get("GPU", 0) // gpus)]
        return Need(min(1.0, *map(_hundredths, shares)) if shares else 1.0, gpus)
    cores = [math.floor(node.get("CPU", 0)) for node in nodes]
    largest = min(MOST_CORES, max(cores, default=0))
    for cpus in range(largest, 0, -1):
        if sum(here // cpus for here in cores) >= (wanted or 1):
            return Need(cpus, 0)
    total = sum(node.get("CPU", 0) for node in nodes)
    return Need(_hundredths(min(1.0, total / (wanted or 1))) if total else 1.0, 0)


def room_for(nodes: Sequence[Mapping[str, float]], need: Need) -> int:
    """Actors that all nodes together have room for, whatever else is on them."""

    def slots(node: Mapping[str, float]) -> int:
        by_gpu = math.inf if need.gpus == 0 else node.get("GPU", 0) // need.gpus
        return int(min(by_gpu, (node.get("CPU", 0) + 1e-9) // need.cpus))

    return sum(slots(node) for node in nodes)


def _hundredths(cpus: float) -> float:
    return max(0.01, math.floor(cpus * 100) / 100)
