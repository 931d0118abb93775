"""Ray's actors against one device: the same values, whoever dies and whenever the caller gives up."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerBase

from cluster.actors import OPTIONS, Meddling, actors, kill_one, saved
from depthkit_worker.cluster.cluster import Cluster
from depthkit_worker.contract.wire import EngineOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import load_model
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.repair.weight_changes import Product
from depthkit_worker.session.job import Job, Unattended, cancelled
from depthkit_worker.subnetworks.engine import EngineResult, evaluate_subnetworks
from depthkit_worker.subnetworks.masks import Subnetworks
from subnetworks.physical import corpus_of, random_masks
from tiny import DEPTH, token_ids

UNITS = tuple(Unit(kind, index) for index in range(DEPTH) for kind in UNIT_KINDS)
REPAIRED = Unit("block", 2)
CORPUS = corpus_of([*token_ids(8, 24)])


def evaluate(
    decoder: Decoder,
    cluster: Cluster | None = None,
    job: Job | None = None,
    rows: int = 40,
    repairs: tuple[Repair, ...] = (),
) -> EngineResult:
    masks = random_masks(rows, len(UNITS))
    masks[: rows // 2, UNITS.index(REPAIRED)] = False
    return evaluate_subnetworks(
        decoder,
        CORPUS,
        Subnetworks(UNITS, masks, repairs),
        ("loss", "kl"),
        EngineOptions(batch_size=2),
        job or Unattended(),
        executor=None if cluster is None else cluster.executor(decoder, CORPUS),
    )


def assert_same(there: EngineResult, here: EngineResult) -> None:
    np.testing.assert_allclose(there.values, here.values, rtol=0, atol=1e-6)
    assert there.counts == here.counts and there.distinct == here.distinct


def test_values_are_those_of_one_device(cluster: Cluster, decoder: Decoder) -> None:
    here, there = evaluate(decoder), evaluate(decoder, cluster)
    assert_same(there, here)
    assert here.split is None and there.split is not None and there.split.devices == 2
    assert there.block_evaluations == pytest.approx(here.block_evaluations * (1 + there.split.sharing_lost))
    assert len({piece.first for piece in there.split.pieces}) > 1, "by sequences"


def test_repairs_travel(cluster: Cluster, decoder: Decoder) -> None:
    matrix = torch.eye(decoder.hidden_size) * 1.5
    edits = {
        REPAIRED.index: BlockEdit(beside=Constant(torch.full((decoder.hidden_size,), 0.25))),
        0: BlockEdit(weights={"mlp.down_proj.weight": Product(matrix, output_first=True)}),
    }
    repairs = (Repair("scale", (REPAIRED,), edits, "d" * 64),)
    here, there = evaluate(decoder, repairs=repairs), evaluate(decoder, cluster, repairs=repairs)
    assert_same(there, here)
    assert np.abs(here.values - evaluate(decoder).values)[:20].max() > 1e-3, "it did something"


def test_an_actor_that_is_killed_loses_nothing(cluster: Cluster, decoder: Decoder) -> None:
    killed: list[int] = []

    def kill() -> None:
        killed.append(kill_one())

    job = Meddling(kill)
    assert_same(evaluate(decoder, cluster, job), evaluate(decoder))
    assert len(killed) == 1
    assert job.done == sorted(job.done), "progress never goes back"
    while len(actors()) < 2:  # another takes its place
        evaluate(decoder, cluster, rows=4)
    assert killed[0] not in actors()


def test_a_cancelled_run_ends_on_the_actors_too(cluster: Cluster, decoder: Decoder) -> None:
    def cancel() -> None:
        raise cancelled()

    with pytest.raises(DepthkitError, match="cancelled") as refused:
        evaluate(decoder, cluster, Meddling(cancel), rows=200)
    assert refused.value.code == "CANCELLED"
    # The next one finds them free.
    assert_same(evaluate(decoder, cluster, rows=4), evaluate(decoder, rows=4))


def test_another_model_in_its_place_is_refused(
    cluster: Cluster, decoder: Decoder, tmp_path: Path, words: PreTrainedTokenizerBase
) -> None:
    other = saved(tmp_path / "model", words)
    loaded = load_model(str(other), tmp_path, OPTIONS, Unattended())
    shutil.rmtree(other)
    saved(other, words, depth=DEPTH + 1)
    with pytest.raises(DepthkitError, match="another model here than on the worker's machine") as refused:
        cluster.place(loaded, OPTIONS, Unattended())
    assert refused.value.code == "CLUSTER_UNAVAILABLE"
