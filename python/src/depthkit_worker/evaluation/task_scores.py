"""The log-likelihood of every choice of a task, by the evaluation engine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from depthkit_worker.data.tasks import Task
from depthkit_worker.errors import DepthkitError
from depthkit_worker.job import Job
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.subnetworks.executor import Evaluation, LocalExecutor
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.plan import make_plan
from depthkit_worker.subnetworks.positions import ALL_POSITIONS
from depthkit_worker.subnetworks.repairs import Repair
from depthkit_worker.subnetworks.task_rows import TaskRows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """Of each item in the task's order, one number a choice."""

    log_likelihoods: tuple[Array, ...]
    """In nats."""
    greedy: tuple[Array, ...]
    """1 where every token of the choice is the likeliest; NaN in multiple choice, where nobody asks."""
    batch_size: int
    """Items, in the largest batch."""
    notes: tuple[str, ...]
    """What did not go as planned: batches that had to be halved."""


class _Watch:
    def __init__(self, job: Job, phase: str, items: int) -> None:
        self._job, self._phase, self._items = job, phase, items
        self._done = 0
        self.notes: list[str] = []

    def step(self, index: int, codes: Collection[int], sequences: int) -> None:
        self._job.check()

    def check(self) -> None:
        self._job.check()

    def head(self, sequences: int) -> None:
        self._job.check()
        self._done += sequences
        self._job.report(self._phase, self._done, self._items, "items")

    def note(self, text: str) -> None:
        self.notes.append(text)


def task_scores(
    decoder: Decoder,
    task: Task,
    job: Job,
    *,
    batch_size: int | None = None,
    units: Iterable[Unit] = (),
    repairs: Sequence[Repair] = (),
    phase: str = "choices",
) -> Scores:
    """Scores of `decoder` without `units`, with `repairs`; `batch_size` in items, None: as many as pay."""
    if batch_size is not None and batch_size < 1:
        raise DepthkitError("INVALID_ARGUMENT", f"Batch size {batch_size} is not at least 1.", batchSize=batch_size)
    watch = _Watch(job, phase, len(task.items))
    with removed(decoder, units, repairs):
        rows = TaskRows(task, decoder, each=True)
        # One subnetwork, the model as it stands.
        asked = Evaluation(np.zeros((1, decoder.depth), dtype=np.uint8), ("accuracy",), ALL_POSITIONS)
        plan = make_plan(decoder, rows, asked, batch_size, None)
        parts = [part.sums for part in LocalExecutor(decoder, rows).run(asked, plan.pieces, watch)]
    # Pieces come in the order of the rows, halves too.
    ordered = [task.items[number] for number in rows.order]
    cuts = np.cumsum([len(item.tails) for item in ordered])[:-1]
    scores, greedy = (np.split(both, cuts) for both in np.concatenate(parts, axis=1))
    back = np.argsort(rows.order)
    return Scores(
        log_likelihoods=tuple(scores[place] for place in back),
        greedy=tuple(greedy[place] for place in back),
        batch_size=plan.batch_size,
        notes=tuple(watch.notes),
    )
