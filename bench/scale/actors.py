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
from collections.abc import Collection
from pathlib import Path

import numpy as np

from depthkit_worker.cluster.cluster import Cluster
from depthkit_worker.cluster.leftovers import sweep
from depthkit_worker.cluster.ray_session import RaySession
from depthkit_worker.contract.wire import EngineOptions, ModelOptions
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import load_model
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.executor import Evaluation, Piece
from depthkit_worker.subnetworks.masks import Subnetworks
from depthkit_worker.subnetworks.positions import ALL_POSITIONS
from random_corpus import random_corpus

OPTIONS = ModelOptions(device="cpu", dtype="float32")
LENGTH, ROWS = 64, 16
PIECES = 400


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

    _, crew = cluster._models[decoder]
    while len(crew.members) < actors or any(member.loading for member in crew.members):
        measure("warm-up", actors)
    measure("strong", ROWS)
    measure("weak", ROWS // 4 * actors)
    driver(cluster, decoder)
    import ray

    ray.shutdown()
    sweep(folder)
    os._exit(0)


def driver(cluster: Cluster, decoder: Decoder) -> None:
    """What a piece costs the driver, by many that are as short as can be."""
    corpus = random_corpus(decoder.vocabulary_size, PIECES // 8, 8)
    codes = np.zeros((8, decoder.depth), dtype=np.uint8)
    for row in range(8):
        codes[row, row:] = 3
    evaluation = Evaluation(codes[::-1].copy(), ("loss",), ALL_POSITIONS)
    pieces = [
        Piece(np.array([row]), first, first + 1) for row in range(8) for first in range(corpus.sequences)
    ]
    executor = cluster.executor(decoder, corpus)
    started, used = time.perf_counter(), time.process_time()
    answers = sum(1 for _ in executor.run(evaluation, pieces, Silent()))
    seconds, used = time.perf_counter() - started, time.process_time() - used
    print(
        f"driver: {answers} pieces in {seconds:.1f} s, {used / answers * 1e3:.2f} ms of its own per piece",
        flush=True,
    )


class Silent:
    def step(self, index: int, codes: Collection[int], sequences: int) -> None: ...
    def check(self) -> None: ...
    def head(self, sequences: int) -> None: ...
    def note(self, text: str) -> None: ...


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
