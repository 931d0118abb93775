"""One Ray of two actors for all tests here: what it authenticates itself by is read once per process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from cluster.actors import OPTIONS, saved
from depthkit_worker.cluster import hands
from depthkit_worker.cluster.cluster import Cluster
from depthkit_worker.cluster.leftovers import sweep
from depthkit_worker.cluster.ray_session import RaySession
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import load_model
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks import splits
from depthkit_worker.subnetworks.splits import ItemCut, cut_items


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="depthkit-ray-"))
    yield Cluster(RaySession("auto", 2, folder, cores=2))
    import ray  # reads how it authenticates itself when it is imported

    ray.shutdown()
    sweep(folder)
    assert not folder.exists()


@pytest.fixture(scope="session")
def decoder(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, words: PreTrainedTokenizerBase
) -> Decoder:
    folder = saved(tmp_path_factory.mktemp("models") / "model", words)
    loaded = load_model(str(folder), folder, OPTIONS, Unattended())
    cluster.place(loaded, OPTIONS, Unattended())
    return loaded


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch) -> list[ItemCut]:
    """How work on one subnetwork was cut, call by call; small work is cut too."""
    found: list[ItemCut] = []

    def cut(*given: Any) -> ItemCut:
        found.append(cut_items(*given))
        return found[-1]

    monkeypatch.setattr(splits, "PIECE_SECONDS", 0.0)
    monkeypatch.setattr(hands, "cut_items", cut)
    return found
