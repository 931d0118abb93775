"""Second moments added up in main memory, product by product, against those added up in place."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from msgspec import structs

from depthkit_worker.contract.wire import FoldOptions, LowRankOptions, PatchOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.repair import fold, host_sums, low_rank, patch
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.repair.host_sums import FP64, HostSums
from depthkit_worker.repair.ridge_regression import Sums
from depthkit_worker.session.job import Unattended
from repair.builders import base_of, many_rows
from repair.test_low_rank import HIDDEN

FITS: dict[str, Any] = {
    "low-rank": lambda base: low_rank.fit_low_rank(
        LowRankOptions(rank=4, ridge="auto"), lambda _: None, base, Unattended()
    ),
    "patch": lambda base: patch.fit_patch(PatchOptions(), lambda _: None, base, Unattended()),
    "fold": lambda base: fold.fit_fold(FoldOptions(ridge="auto"), base, Unattended()),
}


def made(fitted: Fitted) -> list[torch.Tensor]:
    tensors: list[torch.Tensor] = []
    for fill in fitted.fills:
        for edit in fill.edits.values():
            tensors += [parameter for module in edit.modules.values() for parameter in module.parameters()]
            tensors += [change.matrix for change in edit.weights.values()]  # type: ignore[attr-defined]
    return tensors


@pytest.mark.parametrize("method", FITS)
def test_fits_are_the_same_over_several_batches(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    base = base_of("llama", "block.2", "block.4", rows=many_rows(24, 12), skip=1)
    base = dataclasses.replace(base, options=structs.replace(base.options, batch_size=5))
    plain: Fitted = FITS[method](base)
    asked = []

    def on_host(_base: Base, gaps: int, choosing: bool = False) -> HostSums:
        asked.append(gaps)
        return HostSums()

    for module in (low_rank, patch, fold):
        monkeypatch.setattr(module, "host_sums", on_host)
    apart: Fitted = FITS[method](base)
    assert asked == [2]
    for one, other in zip(made(plain), made(apart), strict=True):
        np.testing.assert_allclose(other.detach(), one.detach(), rtol=1e-5, atol=1e-7)
    for before, after in zip(plain.gaps, apart.gaps, strict=True):
        assert after.ridge == before.ridge
        assert after.repaired_error == pytest.approx(before.repaired_error, rel=1e-9)
        assert after.repaired_error_all == pytest.approx(before.repaired_error_all, rel=1e-9)


def test_sums_stay_where_they_were_begun() -> None:
    generator = torch.Generator().manual_seed(0)
    parts = [torch.randn(7, 5, generator=generator, dtype=torch.float64) for _ in range(3)]
    sums = Sums(HostSums())
    sums.add(parts[0], parts[0])
    begun = sums.zz
    for part in parts[1:]:
        sums.add(part, part)
    assert sums.zz is begun and begun is not None
    whole = torch.cat(parts)
    torch.testing.assert_close(begun, whole.T @ whole, rtol=1e-13, atol=1e-13)


def test_on_the_processor_there_is_nowhere_else_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_sums, "DEVICE_BYTES", 0)
    assert host_sums.host_sums(base_of("llama", "block.2"), 30, choosing=True) is None


def test_a_machine_without_the_memory_refuses_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(host_sums, "machine_bytes", lambda: 2 * 2 * HIDDEN**2 * FP64 - 1)
    base = base_of("llama", "block.2", "block.4", rows=many_rows(24, 12))
    assert base.options.skip_tokens == 0
    with pytest.raises(DepthkitError) as refused:
        FITS["patch"](base)
    assert refused.value.code == "OUT_OF_MEMORY" and "Fit fewer gaps" in refused.value.message
    FITS["patch"](base_of("llama", "block.2", rows=many_rows(24, 12)))
