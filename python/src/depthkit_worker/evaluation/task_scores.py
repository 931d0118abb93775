"""The log-likelihood of every choice of a task, by the evaluation engine."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from depthkit_worker.contract.wire import Policy, Skips
from depthkit_worker.data.tasks import Task
from depthkit_worker.evaluation.finished_items import Array, FinishedItems, exactly
from depthkit_worker.models.logits import Reader
from depthkit_worker.policies.follow import following, require_teacher_forced
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.executor import Evaluation, LocalExecutor
from depthkit_worker.subnetworks.plan import make_plan
from depthkit_worker.subnetworks.positions import ALL_POSITIONS
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from depthkit_worker.subnetworks.task_rows import TaskRows


@dataclass(frozen=True)
class Scores:
    """Of each item in the task's order, one number per choice."""

    log_likelihoods: tuple[Array, ...]
    """In nats."""
    greedy: tuple[Array, ...]
    """1 where every token of the choice is the likeliest; NaN in multiple choice, where nobody asks."""
    batch_size: int
    """Items, in the largest batch; 0 where none was left to do."""
    skips: Skips | None
    """What the policy skipped, if there is one."""
    notes: tuple[str, ...]
    """What did not go as planned: batches that had to be halved."""
    seconds: float


class _Watch:
    def __init__(self, job: Job, phase: str, done: int, items: int) -> None:
        self._job, self._phase, self._items = job, phase, items
        self._done = done
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
    subnetwork: Subnetwork,
    task: Task,
    job: Job,
    *,
    policy: Policy | None = None,
    batch_size: int | None = None,
    phase: str = "choices",
    finished: FinishedItems | None = None,
) -> Scores:
    """Scores of `subnetwork` under `policy`; `batch_size` in items, None: as many as pay. The values of
    an item of `finished` are its log-likelihoods; a last word's second one says whether it is greedy."""
    started = time.monotonic()
    require_teacher_forced(policy, f"Scoring a {task.kind} task")
    decoder, finished = subnetwork.decoder, finished or FinishedItems()
    last_word = task.kind == "last-word"
    missing = finished.missing([exactly(len(item.tails) + last_word) for item in task.items])
    watch = _Watch(job, phase, len(task.items) - len(missing), len(task.items))
    reader = Reader(f"Scoring a {task.kind} task", decoder.dtype)
    size = 0
    with following(subnetwork, policy) as follower:
        if missing:
            rows = TaskRows(
                replace(task, items=tuple(task.items[place] for place in missing)), decoder, each=True
            )
            # One subnetwork, the model as it stands.
            asked = Evaluation(np.zeros((1, decoder.depth), dtype=np.uint8), ("accuracy",), ALL_POSITIONS)
            plan = make_plan(decoder, rows, asked, batch_size, None)
            size, done = plan.batch_size, 0
            # Pieces come in the order of the rows, halves too.
            for part in LocalExecutor(decoder, rows).run(asked, plan.pieces, watch):
                if part.unreadable is not None:
                    item = missing[part.unreadable.item]
                    raise reader.refusal(replace(part.unreadable, item=item))
                places = [missing[number] for number in rows.order[done : done + part.sequences]]
                done += part.sequences
                scores, greedy = part.sums
                ends = np.cumsum([len(task.items[place].tails) for place in places])
                of_item = zip(np.split(scores, ends[:-1]), np.split(greedy, ends[:-1]), strict=True)
                finished.add(places, [np.concatenate(both) if last_word else both[0] for both in of_item])
    found = [finished[place] for place in range(len(task.items))]
    return Scores(
        log_likelihoods=tuple(values[:1] if last_word else values for values in found),
        greedy=tuple(values[1:] if last_word else np.full(len(values), np.nan) for values in found),
        batch_size=size,
        skips=None if follower is None else follower.skips(),
        notes=tuple(watch.notes),
        seconds=time.monotonic() - started,
    )
