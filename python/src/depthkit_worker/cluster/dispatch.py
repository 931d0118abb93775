"""Pieces of work on actors: they go to whoever is free, and come again where an actor is lost."""

from __future__ import annotations

import contextlib
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

LAST_WORDS = 10.0
"""Seconds until a piece that was stopped is no longer waited for."""
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
class CallWatch:
    """Looks on for a call."""

    check: Callable[[], None]
    note: Callable[[str], None]


@dataclass(frozen=True)
class Pieces:
    """What is to be run."""

    refs: tuple[Any, ...]
    """Of the order, and of the data that it is about: what `PieceActor.run` takes."""
    count: int
    piece: Callable[[int], Any]
    """Asked for when it is sent."""
    seconds: Sequence[float]
    """What each is expected to take, before `Dispatch.off`; empty where nothing is."""
    name: Callable[[int], str]
    """Of a piece, for messages."""
    hear: Callable[[Any], None] | None = None
    """Where each takes its actor whole, for minutes or hours: hears what it says meanwhile."""


@dataclass
class _Run:
    pieces: Pieces
    waiting: deque[int]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    flights: dict[Any, tuple[Member, int]] = field(default_factory=dict)
    losses: Counter[int] = field(default_factory=Counter)
    asked: dict[Any, Any] = field(default_factory=dict)
    """By flight, the news that is waited for."""


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
        return max(1, self._crew.expected(self._key, free=True))

    @property
    def pace(self) -> Pace:
        return self._crew.pace(self._key).times(self.off)

    @property
    def off(self) -> float:
        return self._crew.off(self._key, self._kind)

    def run(self, pieces: Pieces, watch: Watch) -> Iterator[tuple[int, Any]]:
        """The place of each piece, and what was found of it, as they come."""
        import ray

        run = _Run(pieces, deque(range(pieces.count)))
        try:
            while run.waiting or run.flights:
                watch.check()
                self._crew.tend(watch.note)
                self._send(run)
                self._require_actors()
                self._hear(run)
                if not run.flights:
                    time.sleep(GLANCE)
                    continue
                ready, _ = ray.wait(list(run.flights), num_returns=1, timeout=GLANCE)
                if ready:  # and all others that are: a wait costs as much as there are pieces under way
                    ready, _ = ray.wait(list(run.flights), num_returns=len(run.flights), timeout=0)
                for ref in ready:
                    member, piece = run.flights[ref]
                    try:
                        answer: Done | Failed | None = ray.get(ref)
                        self._hear_last(run, ref)
                        self._landed(run, ref)
                    except LOST() as error:
                        self._landed(run, ref)
                        run.losses[piece] += 1
                        _give_up(run, piece, error)
                        self._crew.lost(member)
                        run.waiting.appendleft(piece)
                        continue
                    yield piece, self._take(run, piece, answer)
        finally:
            # Nobody waits for it any more: the caller gave up, or something failed.
            for member in {member for member, _ in run.flights.values()}:
                member.actor.stop.remote(run.id)
            self._end(run)

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
        with self._crew.lock:
            members = [one for one in self._crew.holding(self._key) if one.whole is None]
            if run.pieces.hear is not None:
                self._send_whole(run, members)
                return
            # To every actor one piece, then as long as there are more than actors one ahead.
            for ahead, member in itertools.product(range(1, AHEAD + 1), members):
                if not run.waiting or (ahead > 1 and len(run.waiting) <= len(members)):
                    return
                if member.busy < ahead:
                    self._give(run, member)

    def _send_whole(self, run: _Run, members: list[Member]) -> None:
        """To the actors with the least to do: each is the run's own as soon as that is done."""
        for member in sorted(members, key=lambda one: one.busy):
            if run.waiting:
                member.whole = run.id
                self._give(run, member)

    def _give(self, run: _Run, member: Member) -> None:
        pieces, piece = run.pieces, run.waiting.popleft()
        member.busy += 1
        made, aloud = pieces.piece(piece), pieces.hear is not None
        sent = member.actor.run.remote(run.id, self._key, pieces.refs, made, aloud)
        run.flights[sent] = (member, piece)

    def _landed(self, run: _Run, ref: Any) -> None:
        with self._crew.lock:
            member, _ = run.flights.pop(ref)
            run.asked.pop(ref, None)
            member.busy -= 1
            if member.whole == run.id:
                member.whole = None

    def _hear(self, run: _Run) -> None:
        """What there is to hear by now."""
        import ray

        if run.pieces.hear is None:
            return
        for ref, (member, _) in run.flights.items():
            asked = run.asked.get(ref)
            if asked is None:
                run.asked[ref] = member.actor.news.remote(run.id)
            elif ray.wait([asked], timeout=0)[0]:
                del run.asked[ref]
                with contextlib.suppress(*LOST()):  # the piece's own answer says so
                    self._tell(run, ray.get(asked))

    def _hear_last(self, run: _Run, ref: Any) -> None:
        """What there is to hear of a piece that has ended."""
        import ray

        if run.pieces.hear is None:
            return
        asked = run.asked.pop(ref, None)
        if asked is not None:
            self._tell(run, ray.get(asked))
        member, _ = run.flights[ref]
        self._tell(run, ray.get(member.actor.news.remote(run.id)))

    def _tell(self, run: _Run, news: Sequence[Any]) -> None:
        assert run.pieces.hear is not None
        for one in news:
            run.pieces.hear(one)

    def _end(self, run: _Run) -> None:
        """Of pieces that were stopped: those that say something are heard to their end."""
        import ray

        try:
            if run.flights and run.pieces.hear is not None:
                flights = list(run.flights)
                for ref in ray.wait(flights, num_returns=len(flights), timeout=LAST_WORDS)[0]:
                    with contextlib.suppress(*LOST()):
                        self._hear_last(run, ref)
        finally:
            for ref in list(run.flights):
                self._landed(run, ref)

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
