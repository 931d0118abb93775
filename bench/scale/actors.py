"""Strong and weak scaling over local actors, and what a piece costs the driver (docs/scale.md).

    python actors.py MODEL_FOLDER ACTORS

Each count of actors in a process of its own, as Ray starts once in each. All of them share the machine's
cores: with more actors than cores there is nothing to be gained.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from depthkit_worker.cluster.cluster import Cluster
from depthkit_worker.cluster.leftovers import sweep
from depthkit_worker.cluster.ray_session import RaySession
from depthkit_worker.contract.wire import EngineOptions, ModelOptions
from depthkit_worker.models.load import load_model
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.masks import Subnetworks
from random_corpus import random_corpus

OPTIONS = ModelOptions(device="cpu", dtype="float32")
LENGTH, ROWS = 64, 40


def main(source: str, actors: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="depthkit-ray-"))
    cluster = Cluster(RaySession("auto", actors, folder))
    decoder = load_model(source, folder, OPTIONS, Unattended())
    cluster.place(decoder, OPTIONS, Unattended())
    units = tuple(Unit("block", index) for index in range(decoder.depth))

    def measure(kind: str, rows: int) -> None:
        corpus = random_corpus(decoder.vocabulary_size, 4, LENGTH)
        kept = np.random.default_rng(0).random((rows, decoder.depth)) < 0.8
        executor = cluster.executor(decoder, corpus)
        started, used = time.perf_counter(), time.process_time()
        found = evaluate_subnetworks(
            decoder,
            corpus,
            Subnetworks(units, kept),
            ("loss",),
            EngineOptions(batch_size=4),
            Unattended(),
            executor=executor,
        )
        seconds, used = time.perf_counter() - started, time.process_time() - used
        assert found.split is not None
        pieces = len(found.split.pieces)
        print(
            f"{kind}: {actors} actors, {rows} subnetworks, {pieces} pieces, "
            f"{found.split.sharing_lost:.1%} lost: {seconds:.1f} s, {rows / seconds:.2f} per second; "
            f"driver {used / pieces * 1e3:.1f} ms of processor time per piece",
            flush=True,
        )

    crew = cluster.executor(decoder, random_corpus(decoder.vocabulary_size, 1, LENGTH))._crew
    while len(crew.members) < actors or any(member.loading for member in crew.members):
        measure("warm-up", actors)
    measure("strong", ROWS)
    measure("weak", ROWS // 4 * actors)
    import ray

    ray.shutdown()
    sweep(folder)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
