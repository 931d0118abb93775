"""Gaps fitted apart, in one pass, are what each one's own fit gives."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from depthkit_worker.contract.wire import (
    EmulatedUpdateOptions,
    FoldOptions,
    LowRankOptions,
    PatchOptions,
    RepairFitParams,
    RepairMethod,
    TrainingOptions,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.repair.apart import gaps_apart
from depthkit_worker.repair.fitting import Fill
from depthkit_worker.repair.methods import fit
from depthkit_worker.session.job import Unattended
from influence.builders import llama
from repair.builders import base_of

GAPS = (
    ("block.1",),
    ("block.2",),
    ("block.1", "block.2"),
    ("block.1", "block.2", "block.3"),
    ("attention.2",),
    ("feed-forward.2",),
    ("attention.4", "feed-forward.4"),
)


def params(
    repair: RepairMethod, apart: tuple[tuple[str, ...], ...], removed: tuple[str, ...] = ()
) -> RepairFitParams:
    return RepairFitParams(
        model="model-1", removed=removed, repairs=(), corpus="corpus-1", repair=repair, apart=apart
    )


def tensors(fill: Fill) -> list[torch.Tensor]:
    return [
        tensor
        for edit in fill.edits.values()
        for module in edit.modules.values()
        for tensor in (*module.parameters(), *module.buffers())
    ]


@pytest.mark.parametrize("method", [EmulatedUpdateOptions(), LowRankOptions(rank=8), PatchOptions()])
def test_each_gap_is_what_its_own_fit_gives(method: RepairMethod) -> None:
    decoder = llama()
    base = base_of(decoder)
    apart = dataclasses.replace(base, apart=gaps_apart(decoder, params(method, GAPS)))
    together = fit(apart, method, lambda _: None, Unattended())
    assert [tuple(map(str, fill.removed)) for fill in together.fills] == [*GAPS[:6], ("block.4",)]
    for units, fill, gap in zip(GAPS, together.fills, together.gaps, strict=True):
        alone = fit(base_of(decoder, *units), method, lambda _: None, Unattended())
        (own,) = alone.fills
        assert fill.edits.keys() == own.edits.keys()
        for one, other in zip(tensors(fill), tensors(own), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)
        assert gap.repaired_error == pytest.approx(alone.gaps[0].repaired_error, abs=1e-6)


@pytest.mark.parametrize(
    ("repair", "apart", "removed", "words"),
    [
        (FoldOptions(), (("block.1",),), (), "fold"),
        (LowRankOptions(training=TrainingOptions()), (("block.1",),), (), "trained"),
        (LowRankOptions(reference="pruned"), (("block.1",),), (), "dense reference"),
        (LowRankOptions(), (("block.1", "block.3"),), (), "2 gaps"),
        (LowRankOptions(), (("block.1",),), ("block.2",), "whole model"),
    ],
)
def test_what_cannot_be_fitted_apart_is_refused(
    repair: RepairMethod, apart: tuple[tuple[str, ...], ...], removed: tuple[str, ...], words: str
) -> None:
    with pytest.raises(DepthkitError, match=words):
        gaps_apart(llama(), params(repair, apart, removed))
