"""Emulated updates, and the pass over the corpus that every untrained repair is made from."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from depthkit_worker.contract.wire import EmulatedUpdateOptions, LowRankOptions, RepairFitOptions, UnitKind
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.repair.emulated_update import fit_emulated_update
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.session.job import Unattended, cancelled
from influence.builders import llama
from repair.builders import Array, base_of, block_states, gap_states, many_rows, repairs_of
from tiny import FAMILY_MODELS

SLOTS = {"block": "beside", "attention": "before", "feed-forward": "after"}


def constants(fitted: Fitted) -> list[Array]:
    found = []
    for fill in fitted.fills:
        (edit,) = fill.edits.values()
        (module,) = (each for each in (edit.before, edit.beside, edit.after) if each is not None)
        assert isinstance(module, Constant)
        found.append(module.vector.double().numpy())
    return found


def fit(base: Base, **options: object) -> Fitted:
    return fit_emulated_update(EmulatedUpdateOptions(**options), base, Unattended())  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", UNIT_KINDS)
@pytest.mark.parametrize("family", FAMILY_MODELS)
def test_the_constant_is_the_mean_update_in_every_family(family: str, kind: UnitKind) -> None:
    base = base_of(family, f"{kind}.2", skip=1)
    fitted = fit(base)
    x_in, x_out = gap_states(base, Unit(kind, 2))
    (constant,) = constants(fitted)
    np.testing.assert_allclose(constant, (x_out - x_in).mean(0), atol=2e-6)
    (fill,) = fitted.fills
    slot = "beside" if base.decoder.parallel else SLOTS[kind]
    assert (
        fill.removed == base.subnetwork.units and getattr(fill.edits[2], slot) is not None and fill.base == ()
    )
    square = np.square(x_out - x_in).sum()
    error = np.square(x_out - x_in - constant).sum()
    assert fitted.gaps[0].removed_error == 1
    assert fitted.gaps[0].repaired_error == pytest.approx(error / square, rel=1e-5)
    everything = dataclasses.replace(base, options=RepairFitOptions(batch_size=4))
    x_in, x_out = gap_states(everything, Unit(kind, 2))
    error = np.square(x_out - x_in - constant).sum() / np.square(x_out - x_in).sum()
    assert fitted.gaps[0].repaired_error_all == pytest.approx(error, rel=1e-5)


def test_pads_and_batches_change_nothing() -> None:
    alone, together = (
        constants(fit(base_of("llama", "block.1", "attention.3", batch_size=size))) for size in (1, 6)
    )
    np.testing.assert_allclose(alone, together, atol=1e-6)


def test_constants_of_a_run_add_up() -> None:
    decoder = llama()
    (run,) = constants(fit(base_of(decoder, "block.2", "block.3", "block.4")))
    single = [constants(fit(base_of(decoder, f"block.{index}")))[0] for index in (2, 3, 4)]
    np.testing.assert_allclose(run, sum(single), atol=1e-5)


def test_the_scale_multiplies_the_mean() -> None:
    (whole,), (half,) = (constants(fit(base_of("llama", "block.2"), scale=scale)) for scale in (1.0, 0.5))
    np.testing.assert_allclose(half, whole / 2, rtol=1e-6)


@pytest.mark.parametrize("family", ["llama", "gpt_neox-parallel", "bloom", "gemma2"])
def test_the_pruned_reference_sees_what_is_repaired_below(family: str) -> None:
    names = ["attention.0", "block.2", "block.3", "feed-forward.5"]
    base = base_of(family, *names)
    fitted = fit(base, reference="pruned")
    repairs = repairs_of(base, fitted)
    expected = []
    x_in, x_out = gap_states(base, Unit("attention", 0))
    expected.append((x_out - x_in).mean(0))
    x_in, x_out = block_states(base, 2, 3, base.subnetwork.units[:1], repairs[:1])
    expected.append((x_out - x_in).mean(0))
    below, made = base.subnetwork.units[:3], repairs[:2]
    if base.decoder.parallel:
        middle, behind = block_states(base, 5, 5, (*below, Unit("attention", 5)), made)
    else:
        _, middle = block_states(base, 5, 5, base.subnetwork.units, made)
        _, behind = block_states(base, 5, 5, below, made)
    expected.append((behind - middle).mean(0))
    np.testing.assert_allclose(constants(fitted), expected, atol=5e-6)
    assert [gap.removed_error for gap in fitted.gaps] == [1, 1, 1]


def test_the_pruned_reference_builds_on_the_repairs_there_are() -> None:
    decoder = llama()
    low = base_of(decoder, "block.1")
    repairs = repairs_of(low, fit(low, scale=3.0))
    base = base_of(decoder, "block.1", "block.4", repairs=repairs)
    pruned, dense = fit(base, reference="pruned"), fit(base)
    x_in, x_out = block_states(base, 4, 4, base.subnetwork.units[:1], repairs)
    np.testing.assert_allclose(constants(pruned)[0], (x_out - x_in).mean(0), atol=2e-6)
    assert pruned.fills[0].base == (repairs[0].digest,) and dense.fills[0].base == ()
    x_in, x_out = gap_states(base, Unit("block", 4))
    np.testing.assert_allclose(constants(dense)[0], (x_out - x_in).mean(0), atol=2e-6)


def test_a_block_that_adds_nothing_needs_nothing() -> None:
    fitted = fit(base_of(llama(identity=(2,)), "block.2"))
    assert not constants(fitted)[0].any()
    assert fitted.gaps[0].removed_error == fitted.gaps[0].repaired_error == 0


def test_skipping_every_token_is_refused() -> None:
    with pytest.raises(DepthkitError, match="longest sequence has 12 tokens") as caught:
        fit(base_of("llama", "block.2", skip=12))
    assert caught.value.code == "INVALID_ARGUMENT"


def test_a_stream_that_is_not_finite_is_refused() -> None:
    with pytest.raises(DepthkitError, match=r"block\.3") as caught:
        fit(base_of(llama(nan_block=2), "block.3"))
    assert caught.value.code == "NOT_MEASURABLE"


@pytest.mark.parametrize("reference", ["dense", "pruned"])
def test_the_model_is_as_it_was_also_after_a_cancel(reference: str) -> None:
    class Cancelled(Unattended):
        left = 9

        def check(self) -> None:
            self.left -= 1
            if self.left == 0:
                raise cancelled()

    base = base_of("llama", "block.1", "attention.3", "feed-forward.4")
    before = weights_checksum(base.decoder)
    hooks = sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in base.decoder.model.modules()
    )
    with pytest.raises(DepthkitError, match="cancelled"):
        fit_emulated_update(EmulatedUpdateOptions(reference=reference), base, Cancelled())  # type: ignore[arg-type]
    fit(base, reference=reference)
    after = sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks) for module in base.decoder.model.modules()
    )
    assert weights_checksum(base.decoder) == before and hooks == after == 0


def test_progress_goes_from_none_to_all() -> None:
    class Reports(Unattended):
        seen: list[tuple[int, int | None]]

        def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
            self.seen.append((done, total))

    job = Reports()
    job.seen = []
    fit_emulated_update(
        EmulatedUpdateOptions(reference="pruned"), base_of("llama", "block.1", "block.3"), job
    )
    assert job.seen == [(4, 12), (6, 12), (10, 12), (12, 12)]


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is reset in Linux's way")
def test_job3_memory_does_not_grow_with_the_corpus() -> None:
    peaks = []
    for count in (32, 320):
        run = subprocess.run(
            [sys.executable, "-c", f"from repair.test_emulated_update import peak; peak({count})"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr[-2000:]
        peaks.append(json.loads(run.stdout.splitlines()[-1]))
    small, large = peaks
    # The states at one end of one gap would be 9 MiB more.
    assert large < 1.1 * small + (4 << 20), peaks


def peak(count: int) -> None:
    """Runs in a child: bytes on top of what was there, of all the untrained methods."""
    from transformers import LlamaConfig

    from depthkit_worker.memory.peaks import PeakMemory
    from depthkit_worker.memory.process import resident_bytes
    from depthkit_worker.models.decoder import Decoder
    from depthkit_worker.repair import gap_streams
    from depthkit_worker.repair.low_rank import fit_low_rank
    from tiny import SHAPE, random_model

    torch.set_num_threads(1)
    # Of the small corpus the stream in front of a gap is just kept, of the large one it is not.
    gap_streams.KEPT_BYTES = 32 * 64 * 128 * 4
    shape = {**SHAPE, "hidden_size": 128, "num_attention_heads": 8}
    base = base_of(
        Decoder(random_model(LlamaConfig(**shape))), "block.1", "block.3", rows=many_rows(count, 64)
    )
    before, memory = resident_bytes(), PeakMemory(torch.device("cpu"))
    for reference in ("dense", "pruned"):
        fit(base, reference=reference)
        fit_low_rank(LowRankOptions(rank=8, reference=reference), lambda _: None, base, Unattended())
    print(json.dumps(memory.bytes() - before))
