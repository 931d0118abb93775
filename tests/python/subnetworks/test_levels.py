"""Many states in one call, level by level of the trie, against one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from depthkit_worker.contract.wire import EngineOptions, Measure
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.data.tasks import Task
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.data_rows import rows_of
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.executor import Evaluation, LocalExecutor, Piece, Progress, RowSums
from depthkit_worker.subnetworks.masks import Subnetworks
from depthkit_worker.subnetworks.plan import Plan
from depthkit_worker.subnetworks.positions import MEASURES
from influence.builders import corpus_of, random_rows
from subnetworks.physical import random_masks
from task_items import random_task
from tiny import DEPTH, FAMILY_MODELS, tiny_model

UNITS = tuple(Unit(kind, index) for index in range(DEPTH) for kind in UNIT_KINDS)


class Stacking:
    """The local executor, with `stacked` states per call, as on a GPU with little text."""

    def __init__(self, decoder: Decoder, data: Corpus | Task, stacked: int) -> None:
        self._local = LocalExecutor(decoder, data)
        self._stacked = stacked

    def cut(self, plan: Plan, evaluation: Evaluation) -> Plan:
        return plan

    def run(self, evaluation: Evaluation, pieces: Iterable[Piece], progress: Progress) -> Iterator[RowSums]:
        return self._local.run(
            evaluation, [replace(piece, stacked=self._stacked) for piece in pieces], progress
        )


class Shared(Unattended):
    """Hears how far the work is."""

    def __init__(self) -> None:
        self.last: tuple[int, int | None] = (0, None)

    def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
        self.last = (done, total)


def both_ways(
    decoder: Decoder,
    data: Corpus | Task,
    masks: NDArray[np.bool_],
    measures: tuple[Measure, ...],
    stacked: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    asked = Subnetworks(UNITS, masks)
    options = EngineOptions(batch_size=rows_of(data, decoder).sequences)
    job = Shared()
    one_by_one = evaluate_subnetworks(decoder, data, asked, measures, options, Unattended())
    executor = Stacking(decoder, data, stacked)
    together = evaluate_subnetworks(decoder, data, asked, measures, options, job, executor=executor)
    assert together.block_evaluations == pytest.approx(one_by_one.block_evaluations)
    assert job.last[0] == job.last[1], "the work ends where it was said to end"
    return together.values, one_by_one.values


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_levels_give_what_a_walk_in_depth_gives(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    corpus = corpus_of(random_rows(9, 9, 6))
    masks = random_masks(40, len(UNITS), keep=0.8)
    together, one_by_one = both_ways(decoder, corpus, masks, MEASURES, stacked=7)
    np.testing.assert_allclose(together, one_by_one, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("stacked", [2, 64])
def test_the_dense_model_may_be_asked_for_or_not(stacked: int) -> None:
    decoder = Decoder(tiny_model("llama"))
    masks = random_masks(12, len(UNITS), keep=0.8)
    for rows in (masks, np.concatenate([masks, np.ones_like(masks[:1])]), masks[:1]):
        together, one_by_one = both_ways(decoder, corpus_of(random_rows(8, 8)), rows, MEASURES, stacked)
        np.testing.assert_allclose(together, one_by_one, rtol=2e-5, atol=1e-6)


def test_tasks_branch_behind_their_prompts_in_every_copy() -> None:
    decoder = Decoder(tiny_model("llama"))
    together, one_by_one = both_ways(
        decoder, random_task(5), random_masks(9, len(UNITS)), ("accuracy", "choice-loss"), stacked=4
    )
    np.testing.assert_allclose(together, one_by_one, rtol=2e-5, atol=1e-6)
