"""Repairs that take many steps, by one actor of Ray's each, against those of one device."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from msgspec.structs import replace

from depthkit_worker.cluster.cluster import Cluster
from depthkit_worker.cluster.crew import Member
from depthkit_worker.contract.wire import (
    BiasOptions,
    FoldDescent,
    FoldOptions,
    LoraOptions,
    PartialOptions,
    RepairFitOptions,
    RepairMethod,
    RepairReport,
    ReplacementBlockOptions,
    TrainingOptions,
    TrainingPoint,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.repair.fitting import Base
from depthkit_worker.repair.methods import fit_repairs
from depthkit_worker.repair.repair import Repair
from depthkit_worker.repair.storage import describe
from depthkit_worker.session.job import Job, Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from repair.builders import units_of
from training.builders import CancelAfter, corpus, curve, visible

TRAINING = TrainingOptions(steps=8, batch_size=2, validation=1, validate_every=4, save_every=2)
LONG = replace(TRAINING, steps=160, validate_every=40, save_every=20)
METHODS: dict[str, RepairMethod] = {
    "bias": BiasOptions(training=TRAINING),
    "replacement-block": ReplacementBlockOptions(training=TRAINING),
    "lora": LoraOptions(training=TRAINING),
    "partial": PartialOptions(training=TRAINING),
    "fold": FoldOptions(objective="cosine", descent=FoldDescent(steps=5, tokens=64)),
}
Fitted = tuple[tuple[Repair, ...], RepairReport]


def base_of(decoder: Decoder, repairs: tuple[Repair, ...] = ()) -> Base:
    subnetwork = Subnetwork(decoder, units_of("block.2", "block.3"), repairs)
    return Base(subnetwork, corpus(), RepairFitOptions(skip_tokens=1, batch_size=3))


def here(base: Base, options: RepairMethod) -> Fitted:
    return fit_repairs(base, options, lambda _: None, Unattended())


def there(
    cluster: Cluster,
    base: Base,
    options: RepairMethod,
    job: Job | None = None,
    on_point: Callable[[TrainingPoint], None] = lambda _: None,
) -> Fitted:
    return cluster.fitter(base.decoder).fit_repairs(base, options, on_point, job or Unattended())


def taken(cluster: Cluster, decoder: Decoder) -> list[Member]:
    """Actors that a training has to itself."""
    _, crew = cluster._models[decoder]
    return [member for member in crew.members if member.whole is not None]


def assert_same(found: Fitted, expected: Fitted) -> None:
    (repairs, report), (others, other) = found, expected
    for repair, its in zip(repairs, others, strict=True):
        assert (repair.method, repair.removed, repair.settings) == (its.method, its.removed, its.settings)
        tensors, its_tensors = describe(repair.edits).tensors, describe(its.edits).tensors
        assert tensors.keys() == its_tensors.keys() and tensors
        for name, tensor in tensors.items():
            assert tensor.device == its_tensors[name].device
            torch.testing.assert_close(tensor, its_tensors[name], rtol=1e-5, atol=1e-6)
    assert report.weights_unchanged
    assert (report.training is None) == (other.training is None)
    if report.training is not None and other.training is not None:
        assert report.training.steps == other.training.steps
        assert report.training.change == pytest.approx(other.training.change, rel=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_fits_are_those_of_one_device(cluster: Cluster, decoder: Decoder, method: str) -> None:
    base, heard = base_of(decoder), list[TrainingPoint]()
    found = there(cluster, base, METHODS[method], on_point=heard.append)
    assert_same(found, here(base, METHODS[method]))
    training = found[1].training
    # Each step is heard of once, as it is taken.
    assert curve(heard) == ([] if training is None else curve(training.points))


def test_one_goes_on_top_of_another(cluster: Cluster, decoder: Decoder) -> None:
    base = base_of(decoder)
    first, _ = there(cluster, base, METHODS["bias"])
    on_top = base_of(decoder, first)
    found = there(cluster, on_top, METHODS["lora"])
    assert found[0][0].base == tuple(repair.digest for repair in first)
    assert_same(found, here(on_top, METHODS["lora"]))


def test_an_actor_that_is_killed_goes_on_from_its_last_checkpoint(
    cluster: Cluster, decoder: Decoder, tmp_path: Path
) -> None:
    class Watched(Unattended):
        def check(self) -> None:
            if not killed and "step-00000020" in visible(tmp_path):
                [member] = taken(cluster, decoder)
                killed.append(member)
                ray.kill(member.actor)

    import ray

    killed: list[Member] = []
    options = LoraOptions(training=replace(LONG, folder=str(tmp_path)))
    base = base_of(decoder)
    found = there(cluster, base, options, Watched())
    training = found[1].training
    assert len(killed) == 1 and training is not None
    assert training.resumed_from is not None and training.resumed_from >= 20
    assert visible(tmp_path) == ["step-00000140", "step-00000160", "training.json"]
    assert_same(found, here(base, LoraOptions(training=LONG)))
    # It was finished: the folder says so here as well.
    again = here(base, options)[1].training
    assert again is not None and again.resumed_from == 160


def test_what_a_cancelled_training_has_comes_home(cluster: Cluster, decoder: Decoder, tmp_path: Path) -> None:
    base = base_of(decoder)
    options = LoraOptions(training=replace(LONG, save_every=10_000, folder=str(tmp_path)))
    with pytest.raises(DepthkitError) as caught:
        there(cluster, base, options, Training(after=5))
    assert caught.value.code == "CANCELLED"
    identity, step = visible(tmp_path)[::-1]
    assert identity == "training.json" and int(step.removeprefix("step-")) >= 5
    training = here(base, options)[1].training
    assert training is not None and training.resumed_from == int(step.removeprefix("step-"))
    # Nobody has the actor to itself any more.
    assert there(cluster, base, METHODS["fold"])


def test_a_damaged_checkpoint_is_written_anew(cluster: Cluster, decoder: Decoder, tmp_path: Path) -> None:
    base = base_of(decoder)
    options = LoraOptions(training=replace(TRAINING, folder=str(tmp_path)))
    there(cluster, base, options)
    newest = tmp_path / "step-00000008" / "state.safetensors"
    whole = newest.read_bytes()
    newest.write_bytes(whole[:-1])
    training = there(cluster, base, options)[1].training
    assert training is not None and training.resumed_from == 6
    assert training.skipped_checkpoints == (
        f"step-00000008: state.safetensors has {len(whole) - 1} bytes of {len(whole)}",
    )
    assert len(newest.read_bytes()) == len(whole)
    training = here(base, options)[1].training
    assert training is not None and training.resumed_from == 8


class Training(CancelAfter):
    """Given up after some steps."""

    def __init__(self, after: int) -> None:
        super().__init__(10**9)
        self._after = after

    def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
        if phase == "training" and done >= self._after:
            self.looks = 0


def test_folders_are_refused_as_on_one_device(cluster: Cluster, decoder: Decoder, tmp_path: Path) -> None:
    base = base_of(decoder)
    (tmp_path / "notes.txt").write_text("mine")
    options = LoraOptions(training=replace(TRAINING, folder=str(tmp_path)))
    with pytest.raises(DepthkitError) as caught:
        there(cluster, base, options)
    assert caught.value.code == "TARGET_NOT_EMPTY"
    assert f"{tmp_path}: it holds notes.txt" in caught.value.message
    (tmp_path / "notes.txt").unlink()
    there(cluster, base, options)
    other = LoraOptions(training=replace(TRAINING, steps=9, folder=str(tmp_path)))
    with pytest.raises(DepthkitError, match=r"settings.steps is 8, here it is 9") as caught:
        there(cluster, base, other)
    assert caught.value.details["folder"] == str(tmp_path)
    missing = LoraOptions(training=replace(TRAINING, folder="/proc/none/here"))
    with pytest.raises(DepthkitError, match="Give a folder that can be written to"):
        there(cluster, base, missing)


def test_a_failure_is_the_one_of_one_device(cluster: Cluster, decoder: Decoder) -> None:
    options = LoraOptions(training=replace(TRAINING, validation=6))
    ways: list[Callable[[], Fitted]] = [
        lambda: there(cluster, base_of(decoder), options),
        lambda: here(base_of(decoder), options),
    ]
    errors = []
    for fit in ways:
        with pytest.raises(DepthkitError) as caught:
            fit()
        errors.append((caught.value.code, caught.value.message, caught.value.details))
    assert errors[0] == errors[1]


def test_two_are_made_side_by_side(cluster: Cluster, decoder: Decoder) -> None:
    both: list[int] = []
    found: dict[int, Fitted] = {}
    base = base_of(decoder)

    def train(number: int) -> None:
        class Watched(Unattended):
            def check(self) -> None:
                both.append(len(taken(cluster, decoder)))

        found[number] = there(cluster, base, LoraOptions(training=replace(LONG, seed=number)), Watched())

    threads = [threading.Thread(target=train, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(both) == 2
    for number in (0, 1):
        assert_same(found[number], here(base, LoraOptions(training=replace(LONG, seed=number))))
