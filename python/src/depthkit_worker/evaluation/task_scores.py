"""The log-likelihood of every choice of a task, by the evaluation engine."""

from __future__ import annotations

import itertools
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from depthkit_worker.contract.wire import Policy, Skips
from depthkit_worker.data.tasks import Task
from depthkit_worker.evaluation.finished_items import Array, FinishedItems, exactly
from depthkit_worker.memory.batch_sizes import fitting_rows
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.logits import Reader
from depthkit_worker.policies.follow import at_work, require_teacher_forced
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.executor import Evaluation, LocalExecutor
from depthkit_worker.subnetworks.hands import Hands, Items, Load
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


@dataclass(frozen=True)
class ItemScores:
    """What is found of a batch of items."""

    places: tuple[int, ...]
    """In the task."""
    values: tuple[Array, ...]
    """Of each, its log-likelihoods; behind a last word's, whether it is greedy."""
    batch_size: int
    """Items, in the largest batch that was planned."""
    notes: tuple[str, ...]
    """What did not go as planned since the batch before."""


@dataclass(frozen=True)
class SomeItems:
    """Part of a task."""

    task: Task
    """With these items alone."""
    places: tuple[int, ...]
    """Of the items in the whole task."""


@dataclass(frozen=True)
class ItemScoring:
    """Scores the choices of items by the engine."""

    batch_size: int | None

    def run(self, decoder: Decoder, part: SomeItems, job: Job) -> Iterator[ItemScores]:
        rows = TaskRows(part.task, decoder, each=True)
        watch = _Watch(job)
        # One subnetwork, the model as it stands.
        asked = Evaluation(np.zeros((1, decoder.depth), dtype=np.uint8), ("accuracy",), ALL_POSITIONS)
        plan = make_plan(decoder, rows, asked, self.batch_size, None)
        last_word, done = part.task.kind == "last-word", 0
        # Pieces come in the order of the rows, halves too.
        for found in LocalExecutor(decoder, rows).run(asked, plan.pieces, watch):
            if found.unreadable is not None:
                item = part.places[found.unreadable.item]
                reader = Reader(f"Scoring a {part.task.kind} task", decoder.dtype)
                raise reader.refusal(replace(found.unreadable, item=item))
            numbers = rows.order[done : done + found.sequences]
            done += found.sequences
            scores, greedy = found.sums
            ends = np.cumsum([len(part.task.items[number].tails) for number in numbers])
            of_item = zip(np.split(scores, ends[:-1]), np.split(greedy, ends[:-1]), strict=True)
            values = tuple(np.concatenate(both) if last_word else both[0] for both in of_item)
            places = tuple(part.places[number] for number in numbers)
            yield ItemScores(places, values, plan.batch_size, watch.told())


class _Watch:
    def __init__(self, job: Job) -> None:
        self.check = job.check
        self._notes: list[str] = []

    def step(self, index: int, codes: Collection[int], sequences: int) -> None:
        self.check()

    def head(self, sequences: int) -> None:
        self.check()

    def note(self, text: str) -> None:
        self._notes.append(text)

    def told(self) -> tuple[str, ...]:
        notes, self._notes = tuple(self._notes), []
        return notes


def task_scores(
    subnetwork: Subnetwork,
    task: Task,
    job: Job,
    *,
    policy: Policy | None = None,
    batch_size: int | None = None,
    phase: str = "choices",
    finished: FinishedItems | None = None,
    hands: Hands | None = None,
) -> Scores:
    """Scores of `subnetwork` under `policy`; `batch_size` in items, None: as many as pay. The values of
    an item of `finished` are its log-likelihoods; a last word's second one says whether it is greedy.
    `hands` are who scores them, see `at_work`."""
    started = time.monotonic()
    require_teacher_forced(policy, f"Scoring a {task.kind} task")
    finished = finished or FinishedItems()
    last_word = task.kind == "last-word"
    missing = finished.missing([exactly(len(item.tails) + last_word) for item in task.items])
    size, done = 0, len(task.items) - len(missing)
    notes: list[str] = []
    with at_work(subnetwork, policy, hands) as (workers, follower):
        items = _items(task, missing, subnetwork.decoder, batch_size)
        for part in workers.run(ItemScoring(batch_size), items, job, note=notes.append):
            finished.add(part.places, part.values)
            size, done = max(size, part.batch_size), done + len(part.places)
            notes += part.notes
            job.report(phase, done, len(task.items), "items")
    found = [finished[place] for place in range(len(task.items))]
    return Scores(
        log_likelihoods=tuple(values[:1] if last_word else values for values in found),
        greedy=tuple(values[1:] if last_word else np.full(len(values), np.nan) for values in found),
        batch_size=size,
        skips=None if follower is None else follower.skips(),
        notes=tuple(dict.fromkeys(notes)),
        seconds=time.monotonic() - started,
    )


def _items(task: Task, missing: Sequence[int], decoder: Decoder, batch_size: int | None) -> Items[SomeItems]:
    """Those that are missing, by the rows they share, the longest first."""

    def some(places: Sequence[int]) -> SomeItems:
        return SomeItems(replace(task, items=tuple(task.items[place] for place in places)), tuple(places))

    if not missing:
        return Items(0, 1, lambda _: Load(0, 0), lambda _: some(()))
    rows = TaskRows(some(missing).task, decoder)
    widths = rows.widths

    def part(numbers: range) -> SomeItems:
        sharers = rows.sharers[numbers.start : numbers.stop]
        # In the task's order, so that all together are laid out as the task itself is.
        return some([missing[number] for number in sorted(itertools.chain.from_iterable(sharers))])

    def load(numbers: range) -> Load:
        return Load(1, sum(widths[numbers.start : numbers.stop]))

    fitting = fitting_rows(decoder, rows.longest, 1, None)
    return Items(len(widths), batch_size or fitting, load, part)
