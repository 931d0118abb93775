"""Work on one subnetwork, done by actors."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any, TypeVar

from depthkit_worker.cluster.crew import Crew
from depthkit_worker.cluster.dispatch import CallWatch, Dispatch, Pieces
from depthkit_worker.cluster.orders import WorkOrder
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.hands import Items, Note, Work
from depthkit_worker.subnetworks.splits import cut_items
from depthkit_worker.subnetworks.subnetwork import Subnetwork

BYTES_PER_SECOND = 1e8
"""At which an answer comes back: a network of one gigabit."""
P = TypeVar("P")
R = TypeVar("R")


class RayHands:
    """Actors that hold the subnetwork's model, each with a part of the items at a time."""

    def __init__(self, crew: Crew, key: str, subnetwork: Subnetwork) -> None:
        self._crew = crew
        self._key = key
        self._subnetwork = subnetwork

    def run(
        self,
        work: Work[P, R],
        items: Items[P],
        job: Job,
        *,
        ordered: bool = False,
        note: Note = lambda _text: None,
        kind: str | None = None,
    ) -> Generator[R]:
        import ray

        dispatch = Dispatch(self._crew, self._key, kind or type(work).__name__)
        pace, depth = dispatch.pace, self._subnetwork.decoder.depth

        def seconds(batch: range) -> float:
            load = items.load(batch)
            return depth * (pace.call * load.passes + pace.token * load.tokens)

        beside = items.answer_bytes / BYTES_PER_SECOND
        cut = cut_items(items.count, items.batch, seconds, dispatch.devices, beside)
        order = ray.put(WorkOrder.of(self._subnetwork, work))
        pieces = Pieces(
            (order,),
            len(cut.parts),
            lambda place: items.part(cut.parts[place]),
            [expected / dispatch.off for expected in cut.seconds],
            lambda place: f"items {cut.parts[place][0]} to {cut.parts[place][-1]}",
        )
        found = dispatch.run(pieces, CallWatch(job.check, note))
        for results in _in_order(found) if ordered else (results for _, results in found):
            yield from results


def _in_order(found: Iterator[tuple[int, Any]]) -> Iterator[Any]:
    early: dict[int, Any] = {}
    following = 0
    for place, results in found:
        early[place] = results
        while following in early:
            yield early.pop(following)
            following += 1
