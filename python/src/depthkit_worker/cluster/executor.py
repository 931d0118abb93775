"""The engine's executor over actors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from depthkit_worker.cluster.crew import Crew
from depthkit_worker.cluster.dispatch import Dispatch, Pieces
from depthkit_worker.cluster.orders import EngineOrder, Measured
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.subnetworks.data_rows import Data, rows_of
from depthkit_worker.subnetworks.executor import Evaluation, Piece, Progress, RowSums
from depthkit_worker.subnetworks.plan import Plan
from depthkit_worker.subnetworks.splits import split
from depthkit_worker.subnetworks.steps import step_cost


class RayExecutor:
    """Has pieces run by actors that hold a model."""

    def __init__(self, crew: Crew, key: str, decoder: Decoder, data: Data, placed: Any) -> None:
        self._dispatch = Dispatch(crew, key, "subnetworks")
        self._decoder = decoder
        self._data = data
        self._placed = placed
        self._expected: dict[tuple[int, int, int], float] = {}

    def cut(self, plan: Plan, evaluation: Evaluation) -> Plan:
        dispatch, rows = self._dispatch, rows_of(self._data, self._decoder)
        cost = step_cost(self._decoder, evaluation.variants)
        found = split(plan, evaluation, cost, rows.longest, dispatch.pace, dispatch.devices)
        measured_first = [seconds / dispatch.off for seconds in found.each]
        self._expected = dict(zip(map(_name, found.pieces), measured_first, strict=True))
        return replace(plan, pieces=found.pieces, evaluations=found.evaluations, split=found)

    def run(self, evaluation: Evaluation, pieces: Iterable[Piece], progress: Progress) -> Iterator[RowSums]:
        import ray

        each = list(pieces)

        def name(place: int) -> str:
            piece = each[place]
            return f"{len(piece.rows)} subnetworks on sequences {piece.first} to {piece.end - 1}"

        seconds = [self._expected[_name(piece)] for piece in each] if self._expected else []
        order = ray.put(EngineOrder.of(evaluation))
        pieces_of = Pieces((order, self._placed), len(each), each.__getitem__, seconds, name)
        found: Measured
        for _, found in self._dispatch.run(pieces_of, progress):
            for index, codes, sequences in found.steps:
                progress.step(index, codes, sequences)
            if found.heads:
                progress.head(found.heads)
            for note in found.notes:
                progress.note(note)
            yield from found.sums


def _name(piece: Piece) -> tuple[int, int, int]:
    return int(piece.rows[0]), piece.first, piece.end
