"""Gaps fitted apart, in one pass, are what each one's own fit gives."""

from __future__ import annotations

import dataclasses
import pickle

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
from depthkit_worker.repair.gap_streams import Tokens
from depthkit_worker.repair.gaps import Gap
from depthkit_worker.repair.least_squares import regressions_of
from depthkit_worker.repair.methods import fit
from depthkit_worker.repair.ridge_regression import Solver
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


@pytest.mark.parametrize(
    "method",
    [
        EmulatedUpdateOptions(),
        LowRankOptions(rank=8),
        LowRankOptions(rank=8, ridge="auto"),
        LowRankOptions(rank=8, constant=False),
        PatchOptions(),
    ],
)
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


def test_gaps_that_begin_at_one_place_share_the_products_of_its_stream() -> None:
    gaps = [Gap("block", 1, 1), Gap("block", 1, 2), Gap("block", 2, 2), Gap("attention", 1, 1)]
    found = regressions_of(gaps, lambda x: x, choosing=True, host=None)
    tokens = Tokens(torch.ones(2, 6, dtype=torch.bool), torch.zeros(2, 6, dtype=torch.bool), torch.arange(2))
    generator = torch.Generator().manual_seed(0)
    fronts = {
        (kind, first): torch.randn(2, 6, 5, generator=generator)
        for kind, first in dict.fromkeys((gap.kind, gap.first) for gap in gaps)
    }
    for gap, regression in found.items():
        regression.add(fronts[gap.kind, gap.first], torch.randn(2, 6, 5, generator=generator), tokens)
    one, run, other, sublayer = (found[gap].rest for gap in gaps)
    assert run.zz is one.zz is not None
    assert other.zz is not one.zz and sublayer.zz is not one.zz
    # Fits of one front need its eigenvectors once; the last one lets go of them.
    vectors = [Solver(sums)._vectors for sums in (run, one, one, one)]
    assert vectors[0] is vectors[1]
    assert vectors[2] is not vectors[1] and vectors[3] is not vectors[2]
    for gap in gaps:
        x = fronts[gap.kind, gap.first].double().reshape(-1, 5)
        torch.testing.assert_close(found[gap].rest.zz, x.T @ x)
    # Each joins its own, the shared one once.
    before = one.zz.clone()
    later = pickle.loads(pickle.dumps(found))
    for gap in gaps:
        found[gap].join(later[gap])
    torch.testing.assert_close(one.zz, 2 * before)
    assert run.zz is one.zz


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
