"""What each sequence or item has alone, against the engine on that one alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from depthkit_worker.contract.wire import EngineOptions, Measure
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.data.tasks import Task
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.masks import Subnetworks
from subnetworks.physical import all_masks, corpus_of
from task_items import random_task
from tiny import tiny_model, token_ids

SUBNETWORKS = Subnetworks(tuple(map(Unit.parse, ("block.1", "attention.3"))), all_masks(2))


def by_sequence(
    data: Corpus | Task, measures: tuple[Measure, ...], batch_size: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of all subnetworks: their values, and what each sequence has alone, (subnetworks, sequences, ...)."""
    found: dict[int, NDArray[np.float64]] = {}

    def keep(
        rows: NDArray[np.int64], _: object, __: tuple[int, ...], own: NDArray[np.float64] | None
    ) -> None:
        assert own is not None
        found.update(dict.fromkeys(rows.tolist(), own))

    options = EngineOptions(batch_size=batch_size)
    result = evaluate_subnetworks(
        Decoder(tiny_model("llama")),
        data,
        SUBNETWORKS,
        measures,
        options,
        Unattended(),
        keep,
        by_sequence=True,
    )
    return result.values, np.stack([found[row] for row in range(len(result.values))])


@pytest.mark.parametrize("batch_size", [None, 1, 2])
def test_a_sequence_alone_has_its_own_measures(batch_size: int | None) -> None:
    measures: tuple[Measure, ...] = ("loss", "kl")
    sequences = [token_ids(1, length, seed=length)[0] for length in (11, 4, 7)]
    _, found = by_sequence(corpus_of(sequences), measures, batch_size)
    for number, ids in enumerate(sequences):
        alone, _ = by_sequence(corpus_of([ids]), measures, None)
        np.testing.assert_allclose(found[:, number], alone, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", ["choices", "last-word"])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_an_item_alone_has_its_own_measures(kind: str, batch_size: int | None) -> None:
    last_word = kind == "last-word"
    task = random_task(5, choices=1, kind="last-word") if last_word else random_task(5)
    measures: tuple[Measure, ...] = ("accuracy", "loss") if last_word else ("accuracy", "choice-loss")
    _, found = by_sequence(task, measures, batch_size)
    assert set(np.unique(found[..., 0])) <= {0.0, 1.0}
    for number, item in enumerate(task.items):
        alone, _ = by_sequence(replace(task, items=(item,)), measures, None)
        np.testing.assert_allclose(found[:, number], alone, rtol=1e-5, atol=1e-7)
