"""What does the model score with these units removed? Asked thousands of times, answered together.

Prefix sharing (docs/engine.md): the subnetworks form a trie over depth, and what they have in common is
computed once. Each distinct subnetwork runs the head once, on the scored positions, and one pass of the
head yields every measure.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from depthkit_worker.contract.wire import EngineOptions, Measure, ScoredPositions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.logits import Reader, Unreadable
from depthkit_worker.repair.repair import Repair
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.data_rows import Data, rows_of
from depthkit_worker.subnetworks.executor import Evaluation, Executor, LocalExecutor
from depthkit_worker.subnetworks.masks import Subnetworks, block_codes
from depthkit_worker.subnetworks.plan import Plan, make_plan
from depthkit_worker.subnetworks.positions import ALL_POSITIONS
from depthkit_worker.subnetworks.scorable import Scorable
from depthkit_worker.subnetworks.screening import fast_bfloat16, screening_asked, screening_note
from depthkit_worker.subnetworks.splits import Split
from depthkit_worker.subnetworks.steps import StepCost, step_cost

PHASE = "subnetworks"
OnValues = Callable[
    [NDArray[np.int64], NDArray[np.float64], tuple[int, ...], NDArray[np.float64] | None], None
]
"""Called with the rows of the request that are finished, (k,), their values, (k, measures), over how many
positions or items each measure is a mean, and where it is asked for what every sequence or item has alone,
(sequences, measures), the same for all k."""


@dataclass(frozen=True)
class EngineResult:
    values: NDArray[np.float64]
    """(subnetworks, measures), rows as asked: loss and kl in nats, means over `counts` positions or items."""
    measures: tuple[Measure, ...]
    counts: tuple[int, ...]
    """Positions, or items, that each measure is a mean over."""
    distinct: int
    """Subnetworks that were computed; the others were the same as one of them."""
    not_finite: tuple[int, ...]
    """Rows with a value that is NaN or infinite: logits that overflowed, or broken weights."""
    block_evaluations: float
    """Blocks run on a batch, a sublayer alone counting as its share, and those below a stream that was kept
    as if they had run."""
    batch_size: int
    states: int
    """States of the residual stream that were kept at most, on one device."""
    split: Split | None
    """How the work was cut for several devices; None: for one."""
    notes: tuple[str, ...]
    """What did not go as planned: batches that had to be halved, repairs that are in place nowhere."""
    seconds: float


class _Watch:
    """Counts work against the plan and passes on what the job and the result want to know."""

    def __init__(self, cost: StepCost, plan: Plan, job: Job) -> None:
        self._cost = cost
        self._plan = plan
        self._job = job
        self._done = 0.0
        self.blocks = 0.0
        self.notes: list[str] = []

    def step(self, index: int, codes: Collection[int], sequences: int) -> None:
        cost = self._cost.of(index, codes) * sequences / self._plan.batch_size
        self.blocks += cost
        self._advance(cost)

    def head(self, sequences: int) -> None:
        self._advance(self._plan.head_cost * sequences / self._plan.batch_size)

    def check(self) -> None:
        self._job.check()

    def note(self, text: str) -> None:
        self.notes.append(text)

    def _advance(self, cost: float) -> None:
        self._job.check()
        self._done += cost
        # Work done again after running out of memory was not planned: never say more than there is.
        total = max(1, round(self._plan.total))
        self._job.report(PHASE, min(total, round(self._done)), total, "block evaluations")


def evaluate_subnetworks(
    decoder: Decoder,
    data: Data | Scorable,
    subnetworks: Subnetworks,
    measures: tuple[Measure, ...],
    options: EngineOptions,
    job: Job,
    on_values: OnValues | None = None,
    executor: Executor | None = None,
    by_sequence: bool = False,
    fast: Callable[[torch.device], bool] = fast_bfloat16,
) -> EngineResult:
    """`measures` of every one of `subnetworks` of `decoder`, as it stands, on `data`: a corpus or a task.

    A head run counts in the progress as the block evaluations it is worth, so that time left is time
    so far times work left by work done. `fast`: whether bfloat16 is on a device, for the precision `screen`.
    """
    started = time.monotonic()
    data = rows_of(data, decoder)
    _check(measures, options, data)
    screening = screening_asked(decoder, options, fast)
    decoder.require_present(subnetworks.units)
    coded = block_codes(subnetworks, decoder.depth, decoder.family)
    codes, to_distinct = np.unique(coded.codes, axis=0, return_inverse=True)
    evaluation = Evaluation(
        codes, measures, options.scored_positions, coded.variants, by_sequence, screening == "bfloat16"
    )
    executor = LocalExecutor(decoder, data) if executor is None else executor
    plan = _planned(decoder, data, evaluation, options, executor)
    watch = _Watch(step_cost(decoder, coded.variants), plan, job)
    answers = _groups(to_distinct.reshape(-1), len(codes))

    values = np.full((len(subnetworks.kept), len(measures)), np.nan)
    sums = np.zeros((len(codes), len(measures)))
    counts = np.zeros((len(codes), len(measures)), dtype=np.int64)
    missing = np.full(len(codes), data.sequences)
    apart: dict[int, NDArray[np.float64]] = {}
    broken = _Broken(
        Reader(f"Measuring subnetworks on {data.what}", decoder.dtype, "sequence"), data.sequences
    )
    for part in executor.run(evaluation, plan.pieces, watch):
        if part.unreadable is not None:
            broken.add(part.unreadable, answers[part.row], whole=not codes[part.row].any())
        sums[part.row] += part.sums
        counts[part.row] += part.counts
        missing[part.row] -= part.sequences
        if part.by_sequence is not None:
            numbers, found = part.by_sequence
            if part.row not in apart:
                apart[part.row] = np.full((data.sequences, len(measures)), np.nan)
            apart[part.row][numbers] = found
        if missing[part.row] == 0:
            rows = answers[part.row]
            values[rows] = _means(sums[part.row], counts[part.row], options.scored_positions)
            if on_values is not None:
                own = apart.pop(part.row, None)
                on_values(rows, values[rows], tuple(counts[part.row].tolist()), own)
    return EngineResult(
        values=values,
        measures=measures,
        counts=tuple(counts[0].tolist()),
        distinct=len(codes),
        not_finite=tuple(np.flatnonzero(~np.isfinite(values).all(1)).tolist()),
        block_evaluations=watch.blocks,
        batch_size=plan.batch_size,
        states=plan.states,
        split=plan.split,
        notes=(
            *((screening_note(decoder.device),) if screening == "float32" else ()),
            *map(_idle_note, coded.idle),
            *broken.notes,
            *watch.notes,
        ),
        seconds=time.monotonic() - started,
    )


def split_of(
    decoder: Decoder,
    data: Data,
    subnetworks: Subnetworks,
    measures: tuple[Measure, ...],
    options: EngineOptions,
    executor: Executor,
) -> Split | None:
    """How `evaluate_subnetworks` would cut the same work."""
    rows = rows_of(data, decoder)
    _check(measures, options, rows)
    coded = block_codes(subnetworks, decoder.depth, decoder.family)
    codes = np.unique(coded.codes, axis=0)
    evaluation = Evaluation(codes, measures, options.scored_positions, coded.variants)
    return _planned(decoder, rows, evaluation, options, executor).split


def _planned(
    decoder: Decoder, data: Scorable, evaluation: Evaluation, options: EngineOptions, executor: Executor
) -> Plan:
    plan = make_plan(decoder, data, evaluation, options.batch_size, options.memory_budget)
    return executor.cut(plan, evaluation)


class _Broken:
    """Subnetworks with logits that are NaN or infinite. Where the whole model has them nothing is measured;
    where removing units leads to them, that is what is found of these subnetworks."""

    def __init__(self, reader: Reader, sequences: int) -> None:
        self._reader = reader
        self._sequences = sequences
        self._found: dict[int, Unreadable] = {}
        self._items: Counter[int] = Counter()

    def add(self, found: Unreadable, rows: NDArray[np.int64], *, whole: bool) -> None:
        if whole:
            raise self._reader.refusal(found)
        for row in rows.tolist():
            self._found.setdefault(row, found)
            self._items[row] += found.items

    @property
    def notes(self) -> list[str]:
        if not self._found:
            return []
        row, found = next(iter(self._found.items()))
        return [
            f"the logits of {len(self._found)} subnetworks are NaN or infinite: of subnetwork {row} in "
            f"{self._items[row]} of {self._sequences} sequences, first in {found.item} at step {found.step}, "
            f"in {self._reader.dtype}"
        ]


def _idle_note(repair: Repair) -> str:
    return (
        f"the repair {repair.method} for {', '.join(map(str, repair.removed))} is in place in none of these "
        "subnetworks: it applies where all of its units are removed, and does nothing for some of them"
    )


def _groups(to_distinct: NDArray[np.int64], distinct: int) -> list[NDArray[np.int64]]:
    """For each distinct row, the rows of the request it answers."""
    order = np.argsort(to_distinct, kind="stable")
    return np.split(order, np.searchsorted(to_distinct[order], np.arange(1, distinct)))


def _means(
    sums: NDArray[np.float64], counts: NDArray[np.int64], positions: ScoredPositions
) -> NDArray[np.float64]:
    if (counts == 0).any():
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"No position is left to score: {positions} and the sequences are too short for it.",
            every=positions.every,
            last=positions.last,
        )
    return sums / counts


def _check(measures: tuple[Measure, ...], options: EngineOptions, data: Scorable) -> None:
    allowed, positions = data.measures, options.scored_positions
    if len(set(measures)) < len(measures) or not set(measures) <= set(allowed):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Measures {list(measures)} were asked for on {data.what}. Name some of {', '.join(allowed)}, "
            f"each once.",
            measures=list(measures),
            allowed=list(allowed),
        )
    if positions != ALL_POSITIONS and not data.has_positions:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"{positions} was asked for on {data.what}, which says itself what is scored. Leave it out.",
            every=positions.every,
            last=positions.last,
        )
