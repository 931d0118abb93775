"""Passes over a corpus that begin where the last one left off, against passes from the first block on."""

from __future__ import annotations

import pytest
import torch

from blocks_run import blocks_run
from depthkit_worker.contract.wire import (
    EmulatedUpdateOptions,
    FoldOptions,
    LowRankOptions,
    RepairMethod,
    ScaleOptions,
)
from depthkit_worker.repair import gap_streams
from depthkit_worker.repair.fitting import Fitted
from depthkit_worker.repair.methods import fit
from depthkit_worker.session.job import Unattended
from repair.builders import base_of, many_rows
from repair.test_host_sums import made


def fitted(
    monkeypatch: pytest.MonkeyPatch, kept_bytes: int, model: str, method: RepairMethod, *names: str
) -> tuple[Fitted, list[int]]:
    """What was fitted, and the blocks that ran for it."""
    monkeypatch.setattr(gap_streams, "KEPT_BYTES", kept_bytes)
    with blocks_run(monkeypatch) as ran:
        base = base_of(model, *names, rows=[*many_rows(9, 12), *many_rows(3, 7)], skip=1, batch_size=5)
        return fit(base, method, lambda _: None, Unattended()), ran


@pytest.mark.parametrize(
    "method", [EmulatedUpdateOptions(reference="pruned"), LowRankOptions(rank=4, reference="pruned")]
)
@pytest.mark.parametrize("model", ["llama", "gpt_neox-parallel", "gemma2"])
def test_what_is_kept_changes_nothing(
    method: RepairMethod, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["attention.0", "block.2", "block.3", "feed-forward.5"]
    whole, all_blocks = fitted(monkeypatch, 0, model, method, *names)
    kept, blocks = fitted(monkeypatch, 1 << 30, model, method, *names)
    assert len(kept.fills) == 3
    assert kept.gaps == whole.gaps
    for one, other in zip(made(kept), made(whole), strict=True):
        assert torch.equal(one, other)
    batches = 3
    assert all_blocks == [*[0] * batches, *[0, 1, 2, 3] * batches, *[0, 1, 2, 3, 4, 5] * batches]
    assert blocks == [*[0] * batches, *[0, 1, 2, 3] * batches, *[2, 3, 4, 5] * batches]


@pytest.mark.parametrize(
    ("method", "passes"),
    [
        # It changes the feed-forward below its gap.
        (FoldOptions(reference="pruned"), [[0, 1, 2], [0, 1, 2, 3, 4]]),
        (ScaleOptions(reference="pruned"), [[0, 1, 2], [2, 3, 4]]),
    ],
)
def test_a_pass_begins_below_all_that_was_changed(
    method: RepairMethod, passes: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = fitted(monkeypatch, 0, "llama", method, "block.2", "block.4")
    kept, blocks = fitted(monkeypatch, 1 << 30, "llama", method, "block.2", "block.4")
    assert blocks == [index for one in passes for index in one * 3]
    assert kept.gaps == whole.gaps
    for one, other in zip(made(kept), made(whole), strict=True):
        assert torch.equal(one, other)
