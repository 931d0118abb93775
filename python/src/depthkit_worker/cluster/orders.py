"""What actors are told to do with pieces: placed once, begun once by each actor, run for every piece.

What repairs put in goes as bytes, so that it is loaded to the device where it is wanted.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from depthkit_worker.contract.wire import Measure, ScoredPositions
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.repair import Repair
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.executor import Evaluation, LocalExecutor, Piece, RowSums
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.hands import Work
from depthkit_worker.subnetworks.subnetwork import Subnetwork

T = TypeVar("T")


class Telling(Job, Protocol):
    """The job of a piece."""

    def part(self, one: Any) -> None:
        """Something to be heard where the piece is waited for, if it has its actor whole; else by nobody."""


Begun = Callable[[Any, Telling], Any]
"""From a piece to what is found of it."""
Ready = Callable[[Callable[[Any], T]], T]
"""Makes the data ready that pieces are cut from, once for all orders about them."""


class Order(Protocol):
    def begin(self, decoder: Decoder, ready: Ready[Any]) -> Begun: ...


@dataclass(frozen=True)
class Measured:
    """What the engine finds of a piece."""

    sums: tuple[RowSums, ...]
    steps: tuple[tuple[int, frozenset[int], int], ...]
    """Blocks that were run: block, codes, and sequences in all."""
    heads: int
    """Sequences that the head was run on."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class EngineOrder:
    """An `Evaluation` of many subnetworks."""

    codes: NDArray[np.uint8]
    measures: tuple[Measure, ...]
    positions: ScoredPositions
    variants: tuple[bytes, ...]
    by_sequence: bool
    screened: bool

    @classmethod
    def of(cls, evaluation: Evaluation) -> EngineOrder:
        return cls(
            codes=evaluation.codes,
            measures=evaluation.measures,
            positions=evaluation.positions,
            variants=tuple(map(_as_bytes, evaluation.variants)),
            by_sequence=evaluation.by_sequence,
            screened=evaluation.screened,
        )

    def begin(self, decoder: Decoder, ready: Ready[LocalExecutor]) -> Begun:
        executor = ready(lambda data: LocalExecutor(decoder, data))
        evaluation = Evaluation(
            codes=self.codes,
            measures=self.measures,
            positions=self.positions,
            variants=tuple(_at_block(data, decoder, index) for index, data in enumerate(self.variants)),
            by_sequence=self.by_sequence,
            screened=self.screened,
        )

        def measure(piece: Piece, job: Job) -> Measured:
            tally = _Tally(job)
            sums = tuple(executor.run(evaluation, [piece], tally))
            steps = tuple((index, codes, count) for (index, codes), count in tally.steps.items())
            return Measured(sums, steps, tally.heads, tuple(tally.notes))

        return measure


@dataclass(frozen=True)
class PackedRepair:
    bare: Repair
    """Without its edits."""
    edits: dict[int, bytes]
    """By block."""

    @classmethod
    def of(cls, repair: Repair) -> PackedRepair:
        edits = {index: _as_bytes(edit) for index, edit in repair.edits.items()}
        return cls(replace(repair, edits={}), edits)

    def on(self, decoder: Decoder) -> Repair:
        edits = {index: _at_block(data, decoder, index) for index, data in self.edits.items()}
        return replace(self.bare, edits=edits)


@dataclass(frozen=True)
class PackedSubnetwork:
    units: tuple[Unit, ...]
    repairs: tuple[PackedRepair, ...]

    @classmethod
    def of(cls, subnetwork: Subnetwork) -> PackedSubnetwork:
        return cls(subnetwork.units, tuple(map(PackedRepair.of, subnetwork.repairs)))

    def on(self, decoder: Decoder) -> Subnetwork:
        return Subnetwork(decoder, self.units, tuple(repair.on(decoder) for repair in self.repairs))


@dataclass(frozen=True)
class WorkOrder:
    """Work on one subnetwork."""

    subnetwork: PackedSubnetwork
    work: Work[Any, Any]

    @classmethod
    def of(cls, subnetwork: Subnetwork, work: Work[Any, Any]) -> WorkOrder:
        return cls(PackedSubnetwork.of(subnetwork), work)

    def begin(self, decoder: Decoder, ready: Ready[Any]) -> Begun:
        subnetwork = self.subnetwork.on(decoder)

        def do(part: Any, job: Job) -> tuple[Any, ...]:
            with removed(subnetwork):
                return tuple(self.work.run(decoder, part, job))

        return do


class _Tally:
    """What a piece of the engine's spends, for the worker to count."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self.steps: Counter[tuple[int, frozenset[int]]] = Counter()
        self.heads = 0
        self.notes: list[str] = []

    def check(self) -> None:
        self._job.check()

    def step(self, index: int, codes: Collection[int], sequences: int) -> None:
        self.check()
        self.steps[index, frozenset(codes)] += sequences

    def head(self, sequences: int) -> None:
        self.check()
        self.heads += sequences

    def note(self, text: str) -> None:
        self.notes.append(text)


def _as_bytes(value: object) -> bytes:
    from ray import cloudpickle

    file = io.BytesIO()
    torch.save(value, file, pickle_module=cloudpickle)
    return file.getvalue()


def _at_block(data: bytes, decoder: Decoder, index: int) -> Any:
    device = decoder.block_device(index) if index < decoder.depth else decoder.device
    # From the worker alone, which has it as an object: no file of anybody else's.
    return torch.load(io.BytesIO(data), map_location=device, weights_only=False)
