"""The engine's executor over actors: pieces go to whoever is free, and come again where an actor is lost."""

from __future__ import annotations

import itertools
import secrets
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from depthkit_worker.cluster.crew import LOST, Crew, Member
from depthkit_worker.cluster.messages import Done, Failed, sent
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.job import GLANCE
from depthkit_worker.subnetworks.data_rows import Data, rows_of
from depthkit_worker.subnetworks.executor import Evaluation, Piece, Progress, RowSums
from depthkit_worker.subnetworks.plan import Plan
from depthkit_worker.subnetworks.splits import split
from depthkit_worker.subnetworks.steps import step_cost

AHEAD = 2
"""Pieces that an actor is given at a time, so that it never waits for the next one."""
PATIENCE = 120.0
"""Seconds without any actor, until it is given up."""
MOST_LOSSES = 3
"""Actors that may be lost with one piece, until it is taken for their cause."""


class RayExecutor:
    """Has pieces run by actors that hold a model."""

    def __init__(self, crew: Crew, key: str, decoder: Decoder, data: Data, placed: Any) -> None:
        self._crew = crew
        self._key = key
        self._decoder = decoder
        self._data = data
        self._placed = placed
        self._expected: dict[tuple[int, int, int], float] = {}
        self._there = time.monotonic()
        """When there was an actor last."""

    def cut(self, plan: Plan, evaluation: Evaluation) -> Plan:
        crew, rows = self._crew, rows_of(self._data, self._decoder)
        cost = step_cost(self._decoder, evaluation.variants)
        devices = max(1, crew.expected(self._key))
        found = split(plan, evaluation, cost, rows.longest, crew.pace(self._key), devices)
        measured_first = [seconds / crew.off(self._key) for seconds in found.each]
        self._expected = dict(zip(map(_name, found.pieces), measured_first, strict=True))
        return replace(plan, pieces=found.pieces, evaluations=found.evaluations, split=found)

    def run(self, evaluation: Evaluation, pieces: Iterable[Piece], progress: Progress) -> Iterator[RowSums]:
        import ray

        refs = (self._placed, ray.put(sent(evaluation)))
        run = secrets.token_hex(8)
        waiting = deque(pieces)
        flights: dict[Any, tuple[Member, Piece]] = {}
        losses: Counter[tuple[int, int, int]] = Counter()
        try:
            while waiting or flights:
                progress.check()
                self._crew.tend(progress.note)
                self._send(run, refs, waiting, flights)
                self._require_actors()
                if not flights:
                    time.sleep(GLANCE)
                    continue
                ready, _ = ray.wait(list(flights), num_returns=1, timeout=GLANCE)
                if ready:  # and all others that are: a wait costs as much as there are pieces under way
                    ready, _ = ray.wait(list(flights), num_returns=len(flights), timeout=0)
                for ref in ready:
                    member, piece = flights.pop(ref)
                    member.busy -= 1
                    try:
                        answer: Done | Failed | None = ray.get(ref)
                    except LOST() as error:
                        losses[_name(piece)] += 1
                        self._give_up(piece, losses, error)
                        self._crew.lost(member)
                        waiting.appendleft(piece)
                        continue
                    yield from self._take(piece, answer, progress)
        finally:
            # Nobody waits for it any more: the caller gave up, or something failed.
            for member in {member for member, _ in flights.values()}:
                member.busy = 0
                member.actor.stop.remote(run)

    def _require_actors(self) -> None:
        """Those that are to come are waited for; a cluster without any is not."""
        now = time.monotonic()
        if self._crew.expected(self._key) > 0:
            self._there = now
        if now - self._there > PATIENCE:
            raise DepthkitError(
                "CLUSTER_UNAVAILABLE",
                f"Measuring subnetworks: for {PATIENCE:.0f} s the cluster has had no node with room for an "
                "actor. Look at `ray status` on its head, and ask again: what came back is kept.",
            )

    def _send(
        self,
        run: str,
        refs: tuple[Any, Any],
        waiting: deque[Piece],
        flights: dict[Any, tuple[Member, Piece]],
    ) -> None:
        """To every actor one piece, then as long as there are more than actors one ahead."""
        members = self._crew.holding(self._key)
        for ahead, member in itertools.product(range(1, AHEAD + 1), members):
            if not waiting or (ahead > 1 and len(waiting) <= len(members)):
                return
            if member.busy < ahead:
                piece = waiting.popleft()
                member.busy += 1
                flights[member.actor.run.remote(run, self._key, refs, piece)] = (member, piece)

    def _take(self, piece: Piece, answer: Done | Failed | None, progress: Progress) -> Iterator[RowSums]:
        if isinstance(answer, Failed):
            raise answer.error
        assert answer is not None, "a piece is stopped only when nobody waits for it"
        expected = self._expected.get(_name(piece))
        self._crew.came_back(self._key, None if expected is None else answer.seconds / expected)
        for index, codes, sequences in answer.steps:
            progress.step(index, codes, sequences)
        if answer.heads:
            progress.head(answer.heads)
        for note in answer.notes:
            progress.note(note)
        yield from answer.sums

    def _give_up(self, piece: Piece, losses: Counter[tuple[int, int, int]], error: Exception) -> None:
        if losses[_name(piece)] < MOST_LOSSES:
            return
        raise DepthkitError(
            "WORKER_DIED",
            f"{MOST_LOSSES} actors died with the same piece of work ({len(piece.rows)} subnetworks on "
            f"sequences {piece.first} to {piece.end - 1}); it is not tried again. The last one: {error}",
            sequences=piece.sequences,
        ) from error


def _name(piece: Piece) -> tuple[int, int, int]:
    return int(piece.rows[0]), piece.first, piece.end
