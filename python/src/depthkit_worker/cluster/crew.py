"""The actors: made as the cluster has room for them, each with the models that are held."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from depthkit_worker.cluster.capacity import Need, need_of, room_for
from depthkit_worker.cluster.messages import Failed, Loaded, ModelOrder
from depthkit_worker.errors import DepthkitError
from depthkit_worker.subnetworks.splits import Pace

TEND_SECONDS = 1.0
"""Between two looks at which nodes and actors there are."""
LEARNING = 0.2
"""How much of the pace is what the last piece took."""
MOST_DEATHS = 5
"""Actors that may die one after the other until one is of use again."""


@dataclass(eq=False)
class Member:
    """One actor."""

    actor: Any
    number: int
    loading: dict[str, Any] = field(default_factory=dict)
    """By a model's key, the answer that is waited for."""
    holds: dict[str, Loaded] = field(default_factory=dict)
    busy: int = 0
    """Pieces that are with it."""
    whole: str | None = None
    """The run that has it to itself: it gets no more pieces of others."""


class Crew:
    """All actors of one need. `wanted`: how many at most; None: as many as there is room for."""

    def __init__(self, need: Need, wanted: int | None) -> None:
        self.lock = threading.RLock()
        """Calls share the actors: who looks at them or changes them holds it."""
        self._need = need
        self._wanted = wanted
        self.members: list[Member] = []
        self._orders: dict[str, ModelOrder] = {}
        self._numbers = itertools.count(1)
        self._tended = 0.0
        self._deaths = 0
        self._last: dict[str, Pace] = {}
        self._off: dict[tuple[str, str], float] = {}
        """By a model's key and the kind of work, how many times as long as expected the last pieces took."""

    def hold(self, order: ModelOrder) -> None:
        """Have every actor load a model, those that come later too."""
        with self.lock:
            self._orders[order.key] = order
            for member in self.members:
                self._load(member, order)
            self._tended = 0.0

    def drop(self, key: str) -> None:
        with self.lock:
            self._orders.pop(key, None)
            for member in self.members:
                member.loading.pop(key, None)
                member.holds.pop(key, None)
                member.actor.stop.remote(key)
                member.actor.unload.remote(key)

    def holding(self, key: str) -> list[Member]:
        with self.lock:
            return [member for member in self.members if key in member.holds]

    def expected(self, key: str, *, free: bool = False) -> int:
        """Actors that hold the model or are about to. `free`: but for those that another run has whole."""
        with self.lock:
            there = [member for member in self.members if key in member.holds or key in member.loading]
            return sum(not free or member.whole is None for member in there)

    def pace(self, key: str) -> Pace:
        """As measured: the median of those that hold the model, or held it last."""
        paces = [member.holds[key].pace for member in self.holding(key)] or [self._last[key]]
        call, token = (float(np.median([getattr(one, part) for one in paces])) for part in ("call", "token"))
        return Pace(call, token)

    def tend(self, note: Callable[[str], None]) -> None:
        """Take note of who is ready, and make actors where there is room. An actor that cannot hold a model
        takes no part: `note` hears why."""
        with self.lock:
            for member in list(self.members):
                self._hear(member, note)
            now = time.monotonic()
            if now - self._tended < TEND_SECONDS:
                return
            self._tended = now
            missing = self._size() - len(self.members)
            for _ in range(missing):
                self._add()

    def lost(self, member: Member) -> None:
        """An actor that has died, or does not answer: another one takes its place."""
        import ray

        with self.lock:
            if member in self.members:
                self.members.remove(member)
                self._deaths += 1
                ray.kill(member.actor)
        if self._deaths >= MOST_DEATHS:
            raise DepthkitError(
                "WORKER_DIED",
                f"{self._deaths} actors of the cluster died one after the other, none of them of use. Look "
                "into Ray's logs on the nodes; memory is the most common cause.",
                deaths=self._deaths,
            )
        self._tended = 0.0

    def came_back(self, key: str, kind: str, times: float | None) -> None:
        """A piece of this kind of work is done, and took so many times as long as by the pace that was
        measured; None: nothing was expected of it."""
        self._deaths = 0
        if times is None:
            return
        self._off[key, kind] = (1 - LEARNING) * self.off(key, kind) + LEARNING * times

    def off(self, key: str, kind: str) -> float:
        return self._off.get((key, kind), 1.0)

    def _size(self) -> int:
        return self._wanted or room_for(resources(), self._need)

    def _add(self) -> None:
        import ray

        from depthkit_worker.cluster.actor import PieceActor

        remote = ray.remote(max_restarts=0, concurrency_groups={"control": 1})(PieceActor)
        made = remote.options(
            num_cpus=self._need.cpus, num_gpus=self._need.gpus, scheduling_strategy="SPREAD"
        )
        member = Member(made.remote(self._need.threads), next(self._numbers))
        self.members.append(member)
        for order in self._orders.values():
            self._load(member, order)

    def _load(self, member: Member, order: ModelOrder) -> None:
        member.loading[order.key] = member.actor.load.remote(order)

    def _hear(self, member: Member, note: Callable[[str], None]) -> None:
        import ray

        if not member.loading:
            return
        ready, _ = ray.wait(list(member.loading.values()), num_returns=len(member.loading), timeout=0)
        for key in [key for key, ref in member.loading.items() if ref in ready]:
            try:
                answer: Loaded | Failed = ray.get(member.loading.pop(key))
            except LOST():
                self.lost(member)
                return
            if isinstance(answer, Loaded):
                member.holds[key] = answer
                self._last[key] = answer.pace
            elif answer.code != "CANCELLED":
                note(f"one actor takes no part: {answer.message}")


def resources() -> Sequence[dict[str, float]]:
    """Of each node that is there."""
    import ray

    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def crew_for(gpus: int, wanted: int | None) -> Crew:
    """Refuses where the cluster has no room, and waits for none."""
    nodes = resources()
    need = need_of(nodes, gpus, wanted)
    if wanted is None and room_for(nodes, need) == 0:
        kind = f"{gpus} GPUs" if gpus else "cores"
        raise DepthkitError(
            "DEVICE_UNAVAILABLE",
            f"The Ray cluster has {len(nodes)} nodes, and none of them has {kind} for an actor. Load the "
            "model on devices that the cluster has, or say how many actors to wait for.",
            nodes=len(nodes),
            gpus=gpus,
        )
    return Crew(need, wanted)


def LOST() -> tuple[type[Exception], ...]:  # noqa: N802
    """What says that an actor, or its node, is gone."""
    from ray import exceptions

    return (
        exceptions.RayActorError,
        exceptions.ObjectLostError,
        exceptions.NodeDiedError,
        exceptions.WorkerCrashedError,
    )
