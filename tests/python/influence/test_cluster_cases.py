"""The worked cases of clustering and of LoRP's choice that the SDK is tested on, by scikit-learn and the
equations."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.cluster import SpectralClustering  # type: ignore[import-untyped]

CASES = json.loads((Path(__file__).parents[2] / "cluster-cases.json").read_text())
Matrix = NDArray[np.float64]


def clustered(similarities: Matrix, clusters: int) -> list[int]:
    """Labels in the order of the clusters' first blocks."""
    affinity = (similarities + 1) / 2
    found = SpectralClustering(clusters, affinity="precomputed", random_state=0, n_init=50).fit_predict(
        affinity
    )
    order = list(dict.fromkeys(found.tolist()))
    return [order.index(label) for label in found]


def locality(similarities: Matrix) -> float:
    return float(-np.log2(similarities[np.triu_indices(len(similarities), 1)].mean()))


def lorp(similarities: Matrix, labels: list[int], count: int) -> list[int]:
    """arXiv 2605.27786, equations 8 to 11, the first block and the last protected."""
    clusters = [
        [block for block, label in enumerate(labels) if label == one] for one in range(max(labels) + 1)
    ]

    def redundancy(block: int, cluster: list[int]) -> float:
        others = [similarities[block, other] for other in cluster if other != block]
        return float(np.mean(others)) if others else -np.inf

    queues = [
        sorted((b for b in cluster if 0 < b < len(labels) - 1), key=lambda b, c=cluster: -redundancy(b, c))  # type: ignore[misc]
        for cluster in clusters
    ]
    removed = [queue.pop(0) for queue in queues if queue][:count]
    while len(removed) < count:
        rests = [[block for block in cluster if block not in removed] for cluster in clusters]
        alike = [
            float(np.mean([similarities[pair] for pair in combinations(rest, 2)]))
            if len(rest) > 1
            else -np.inf
            for rest in rests
        ]
        removed.append(
            queues[max((one for one, queue in enumerate(queues) if queue), key=alike.__getitem__)].pop(0)
        )
    return sorted(removed)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_cases_are_what_scikit_learn_and_the_equations_give(case: dict[str, Any]) -> None:
    similarities = np.array(case["similarities"])
    assert locality(similarities) == pytest.approx(case["locality"], abs=1e-3)
    for clusters, labels in case["labels"].items():
        assert clustered(similarities, int(clusters)) == labels
    for count, removed in case["removed"].items():
        assert lorp(similarities, case["labels"][str(case["clusters"])], int(count)) == removed
