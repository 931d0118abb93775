"""Pieces of work on actors: they go to whoever is free, and come again where an actor is lost."""

from __future__ import annotations

import itertools
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from depthkit_worker.cluster.crew import LOST, Crew, Member
from depthkit_worker.cluster.messages import Done, Failed
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import GLANCE
from depthkit_worker.subnetworks.splits import Pace

AHEAD = 2
"""Pieces that an actor is given at a time, so that it never waits for the next one."""
PATIENCE = 120.0
"""Seconds without any actor, until it is given up."""
MOST_LOSSES = 3
"""Actors that may be lost with one piece, until it is taken for their cause."""


class Watch(Protocol):
    """What looks on."""

    def check(self) -> None:
        """May raise to stop the work."""

    def note(self, text: str) -> None:
        """Something the result should say."""


@dataclass(frozen=True)
class Pieces:
    """What is to be run."""

    refs: tuple[Any, ...]
    """Of the order, and of the data that it is about: what `PieceActor.run` takes."""
    each: Sequence[Any]
    seconds: Sequence[float]
    """What each is expected to take, before `Dispatch.off`; empty where nothing is."""
    name: Callable[[int], str]
    """Of a piece, for messages."""


@dataclass
class _Run:
    pieces: Pieces
    waiting: deque[int]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    flights: dict[Any, tuple[Member, int]] = field(default_factory=dict)
    losses: Counter[int] = field(default_factory=Counter)


class Dispatch:
    """To the actors of `crew` that hold the model `key`. `kind` names the work: how much longer it takes than
    by the measured pace is learned of each kind."""

    def __init__(self, crew: Crew, key: str, kind: str) -> None:
        self._crew = crew
        self._key = key
        self._kind = kind
        self._there = time.monotonic()
        """When there was an actor last."""

    @property
    def devices(self) -> int:
        return max(1, self._crew.expected(self._key))

    @property
    def pace(self) -> Pace:
        return self._crew.pace(self._key).times(self.off)

    @property
    def off(self) -> float:
        return self._crew.off(self._key, self._kind)

    def run(self, pieces: Pieces, watch: Watch) -> Iterator[tuple[int, Any]]:
        """The place of each piece, and what was found of it, as they come."""
        import ray

        run = _Run(pieces, deque(range(len(pieces.each))))
        try:
            while run.waiting or run.flights:
                watch.check()
                self._crew.tend(watch.note)
                self._send(run)
                self._require_actors()
                if not run.flights:
                    time.sleep(GLANCE)
                    continue
                ready, _ = ray.wait(list(run.flights), num_returns=1, timeout=GLANCE)
                if ready:  # and all others that are: a wait costs as much as there are pieces under way
                    ready, _ = ray.wait(list(run.flights), num_returns=len(run.flights), timeout=0)
                for ref in ready:
                    member, piece = run.flights.pop(ref)
                    member.busy -= 1
                    try:
                        answer: Done | Failed | None = ray.get(ref)
                    except LOST() as error:
                        run.losses[piece] += 1
                        _give_up(run, piece, error)
                        self._crew.lost(member)
                        run.waiting.appendleft(piece)
                        continue
                    yield piece, self._take(run, piece, answer)
        finally:
            # Nobody waits for it any more: the caller gave up, or something failed.
            for member in {member for member, _ in run.flights.values()}:
                member.busy = 0
                member.actor.stop.remote(run.id)

    def _require_actors(self) -> None:
        """Those that are to come are waited for; a cluster without any is not."""
        now = time.monotonic()
        if self._crew.expected(self._key) > 0:
            self._there = now
        if now - self._there > PATIENCE:
            raise DepthkitError(
                "CLUSTER_UNAVAILABLE",
                f"Working on the cluster: for {PATIENCE:.0f} s it has had no node with room for an actor. "
                "Look at `ray status` on its head, and ask again: what came back is kept.",
            )

    def _send(self, run: _Run) -> None:
        """To every actor one piece, then as long as there are more than actors one ahead."""
        members = self._crew.holding(self._key)
        for ahead, member in itertools.product(range(1, AHEAD + 1), members):
            if not run.waiting or (ahead > 1 and len(run.waiting) <= len(members)):
                return
            if member.busy < ahead:
                piece = run.waiting.popleft()
                member.busy += 1
                sent = member.actor.run.remote(run.id, self._key, run.pieces.refs, run.pieces.each[piece])
                run.flights[sent] = (member, piece)

    def _take(self, run: _Run, piece: int, answer: Done | Failed | None) -> Any:
        if isinstance(answer, Failed):
            raise answer.error
        assert answer is not None, "a piece is stopped only when nobody waits for it"
        expected = run.pieces.seconds[piece] if run.pieces.seconds else None
        self._crew.came_back(self._key, self._kind, None if expected is None else answer.seconds / expected)
        return answer.found


def _give_up(run: _Run, piece: int, error: Exception) -> None:
    if run.losses[piece] < MOST_LOSSES:
        return
    raise DepthkitError(
        "WORKER_DIED",
        f"{MOST_LOSSES} actors died with the same piece of work ({run.pieces.name(piece)}); it is not tried "
        f"again. The last one: {error}",
    ) from error
