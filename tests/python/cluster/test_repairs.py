"""Closed forms whose sums Ray's actors add up, against those of one device."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from cluster.actors import Meddling, kill_one
from depthkit_worker.cluster.cluster import Cluster
from depthkit_worker.contract.wire import (
    EmulatedUpdateOptions,
    FoldDescent,
    FoldOptions,
    LowRankOptions,
    PatchOptions,
    RepairFitOptions,
    RepairMethod,
    ScaleOptions,
)
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.repair.methods import fit
from depthkit_worker.session.job import Job, Unattended
from depthkit_worker.subnetworks.splits import ItemCut
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from influence.builders import corpus_of, random_rows
from repair.builders import units_of

METHODS: dict[str, RepairMethod] = {
    "emulated-update": EmulatedUpdateOptions(),
    "emulated-update, pruned": EmulatedUpdateOptions(reference="pruned"),
    "low-rank": LowRankOptions(rank=4, ridge="auto"),
    "patch": PatchOptions(),
    "fold": FoldOptions(ridge=0.1, reference="dense"),
    "fold, pruned": FoldOptions(ridge="auto", reference="pruned"),
    "scale": ScaleOptions(ratio="median"),
}


def base_of(decoder: Decoder, rows: int = 40) -> Base:
    subnetwork = Subnetwork(decoder, units_of("block.2", "block.4"))
    corpus = corpus_of(random_rows(*[24, 17] * (rows // 2)))
    return Base(subnetwork, corpus, RepairFitOptions(skip_tokens=1, batch_size=3))


def fitted(base: Base, options: RepairMethod, job: Job | None = None) -> Fitted:
    return fit(base, options, lambda _: None, job or Unattended())


def made(found: Fitted) -> list[torch.Tensor]:
    tensors: list[torch.Tensor] = []
    for fill in found.fills:
        for edit in fill.edits.values():
            tensors += [value.detach() for module in edit.modules.values() for value in module.parameters()]
            tensors += [change.matrix for change in edit.weights.values()]  # type: ignore[attr-defined]
            tensors += [
                torch.tensor(update.factor) for update in edit.updates.values() if hasattr(update, "factor")
            ]
    return tensors


def assert_same(there: Fitted, here: Fitted) -> None:
    assert made(here)
    for mine, theirs in zip(made(there), made(here), strict=True):
        assert (mine.device, mine.dtype) == (theirs.device, theirs.dtype)
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-6)
    for gap, expected in zip(there.gaps, here.gaps, strict=True):
        assert gap.ridge == expected.ridge
        assert gap.repaired_error == pytest.approx(expected.repaired_error, rel=1e-6)
        assert gap.repaired_error_all == pytest.approx(expected.repaired_error_all, rel=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_fits_are_those_of_one_device(
    cluster: Cluster, decoder: Decoder, cuts: list[ItemCut], method: str
) -> None:
    base, options = base_of(decoder), METHODS[method]
    assert_same(fitted(dataclasses.replace(base, hands=cluster.hands), options), fitted(base, options))
    assert min(len(cut.parts) for cut in cuts) > 1


def test_streams_that_are_kept_are_kept_here(cluster: Cluster, decoder: Decoder, cuts: list[ItemCut]) -> None:
    options = FoldOptions(objective="cosine", descent=FoldDescent(steps=2, tokens=64))
    base = base_of(decoder)
    assert_same(fitted(dataclasses.replace(base, hands=cluster.hands), options), fitted(base, options))
    assert cuts == []


def test_an_actor_that_is_killed_loses_no_sums(cluster: Cluster, decoder: Decoder) -> None:
    killed: list[int] = []
    base, options = base_of(decoder, 2000), METHODS["low-rank"]
    job = Meddling(lambda: killed.append(kill_one()))
    there = fitted(dataclasses.replace(base, hands=cluster.hands), options, job)
    assert len(killed) == 1 and job.done == sorted(job.done) and job.done[-1] == 2000
    assert_same(there, fitted(base, options))
