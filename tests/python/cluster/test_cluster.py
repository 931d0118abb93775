"""Ray's actors against one device: the same values, whoever dies and whenever the caller gives up."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from transformers import PreTrainedTokenizerBase

from depthkit_worker.cluster.cluster import Cluster
from depthkit_worker.cluster.leftovers import sweep
from depthkit_worker.cluster.ray_session import RaySession
from depthkit_worker.contract.wire import EngineOptions, ModelOptions
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
from tiny import DEPTH, t_llama, token_ids

UNITS = tuple(Unit(kind, index) for index in range(DEPTH) for kind in UNIT_KINDS)
REPAIRED = Unit("block", 2)
OPTIONS = ModelOptions(device="cpu", dtype="float32")
CORPUS = corpus_of([*token_ids(8, 24)])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="depthkit-ray-"))
    yield Cluster(RaySession("auto", 2, folder, cores=2))
    import ray  # reads how it authenticates itself when it is imported

    ray.shutdown()
    sweep(folder)
    assert not folder.exists()


@pytest.fixture(scope="module")
def decoder(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, smollm2_tokenizer: PreTrainedTokenizerBase
) -> Decoder:
    folder = saved(tmp_path_factory.mktemp("models") / "model", smollm2_tokenizer)
    loaded = load_model(str(folder), folder, OPTIONS, Unattended())
    cluster.place(loaded, OPTIONS, Unattended())
    return loaded


def saved(folder: Path, tokenizer: PreTrainedTokenizerBase, depth: int = DEPTH) -> Path:
    t_llama(depth).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


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


class Meddling(Unattended):
    """Does something once, when pieces are under way."""

    def __init__(self, meddle: Callable[[], None]) -> None:
        self._meddle: Callable[[], None] | None = meddle
        self.done: list[int] = []

    def check(self) -> None:
        if self._meddle is not None and any(".run" in title for title in actors().values()):
            meddle, self._meddle = self._meddle, None
            meddle()

    def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
        self.done.append(done)


def actors() -> dict[int, str]:
    """The processes that live, with what Ray says they are at."""
    found: dict[int, str] = {}
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            title = " ".join(process.cmdline())
            if title.startswith("ray::PieceActor"):
                found[process.pid] = title
    return found


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
        killed.append(next(iter(actors())))
        os.kill(killed[0], signal.SIGKILL)

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
    cluster: Cluster, decoder: Decoder, tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase
) -> None:
    other = saved(tmp_path / "model", smollm2_tokenizer)
    loaded = load_model(str(other), tmp_path, OPTIONS, Unattended())
    shutil.rmtree(other)
    saved(other, smollm2_tokenizer, depth=DEPTH + 1)
    with pytest.raises(DepthkitError, match="another model here than on the worker's machine") as refused:
        cluster.place(loaded, OPTIONS, Unattended())
    assert refused.value.code == "CLUSTER_UNAVAILABLE"
