"""Ray's actors against one device: the same values, whoever dies and whenever the caller gives up."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from transformers import PreTrainedTokenizerBase

from depthkit_worker.cluster.cluster import Cluster
from depthkit_worker.cluster.leftovers import sweep
from depthkit_worker.cluster.ray_session import RaySession
from depthkit_worker.contract.wire import EngineOptions, ModelOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import load_model
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.engine import EngineResult, evaluate_subnetworks
from depthkit_worker.subnetworks.masks import Subnetworks
from subnetworks.physical import corpus_of, random_masks
from tiny import DEPTH, t_llama, token_ids

UNITS = tuple(Unit(kind, index) for index in range(DEPTH) for kind in UNIT_KINDS)
OPTIONS = ModelOptions(device="cpu", dtype="float32")
CORPUS = corpus_of([*token_ids(8, 24)])


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="depthkit-ray-"))
    yield Cluster(RaySession("auto", 2, folder, cores=2))
    sweep(folder)
    assert not folder.exists()


@pytest.fixture(scope="module")
def decoder(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, smollm2_tokenizer: PreTrainedTokenizerBase
) -> Decoder:
    folder = tmp_path_factory.mktemp("model")
    t_llama().save_pretrained(folder)
    smollm2_tokenizer.save_pretrained(folder)
    loaded = load_model(str(folder), folder, OPTIONS, Unattended())
    cluster.place(loaded, OPTIONS, Unattended())
    return loaded


def evaluate(decoder: Decoder, count: int, cluster: Cluster | None = None, job=None) -> EngineResult:
    return evaluate_subnetworks(
        decoder,
        CORPUS,
        Subnetworks(UNITS, random_masks(count, len(UNITS))),
        ("loss", "kl"),
        EngineOptions(batch_size=2),
        job or Unattended(),
        executor=None if cluster is None else cluster.executor(decoder, CORPUS),
        by_sequence=True,
    )


def test_values(cluster: Cluster, decoder: Decoder) -> None:
    here, there = evaluate(decoder, 200), evaluate(decoder, 200, cluster)
    np.testing.assert_allclose(there.values, here.values, rtol=0, atol=1e-6)
    print(there.split and (there.split.devices, len(there.split.pieces), there.split.sharing_lost, there.split.seconds, there.split.alone), here.seconds, there.seconds, here.block_evaluations, there.block_evaluations)
