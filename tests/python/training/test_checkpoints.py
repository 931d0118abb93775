"""JOB1 and what goes with it: a training that is stopped at any moment goes on as if it had not been."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from msgspec import structs
from safetensors import SafetensorError
from torch import Tensor

from depthkit_worker.contract.wire import LoraOptions, MaskedExperts, RepairFitOptions, TrainingPoint
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.partial_folders import leftovers
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.fitting import Base, Fill, Fitted
from depthkit_worker.repair.lora import fit_lora
from depthkit_worker.repair.repair import BlockEdit
from depthkit_worker.repair.training.fills import train_fills
from depthkit_worker.repair.training.options import SettledTraining
from depthkit_worker.repair.weight_changes import Sum
from depthkit_worker.session.job import Unattended
from influence.builders import llama
from training.builders import (
    SHORT,
    CancelAfter,
    Looks,
    base_of,
    constant,
    corpus,
    curve,
    ignore,
    trained_constant,
    visible,
)

TENSORS, NUMBERS, MARK = "state.safetensors", "state.json", "complete.json"


def settings(folder: Path | None, **changes: object) -> SettledTraining:
    made = structs.replace(
        SHORT, steps=7, validation=2, validate_every=2, save_every=1, folder=folder and str(folder)
    )
    return structs.replace(made, **changes)


def stop_at(step: int, decoder: Decoder, options: SettledTraining) -> None:
    """Train until the news of `step`, then be cancelled."""

    class Stopping(Unattended):
        def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
            self.over = phase == "training" and done >= step

        def check(self) -> None:
            if getattr(self, "over", False):
                raise DepthkitError("CANCELLED", "enough")

    with pytest.raises(DepthkitError, match="enough"):
        trained_constant(decoder, options, Stopping())


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def change_one_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "half": lambda folder: halve(folder / TENSORS),
    "empty": lambda folder: empty(folder / TENSORS),
    "gone": lambda folder: (folder / TENSORS).unlink(),
    "other": lambda folder: change_one_byte(folder / TENSORS),
    "half numbers": lambda folder: halve(folder / NUMBERS),
    "no numbers": lambda folder: (folder / NUMBERS).unlink(),
    "no mark": lambda folder: (folder / MARK).unlink(),
    "half a mark": lambda folder: halve(folder / MARK),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_is_skipped_and_the_one_before_goes_on_the_same(
    tmp_path: Path, damage: str
) -> None:
    """JOB1."""
    decoder = llama()
    expected, whole = trained_constant(decoder, settings(None))
    folder = tmp_path / "run"
    stop_at(5, decoder, settings(folder))
    assert visible(folder) == ["step-00000004", "step-00000005", "training.json"]
    DAMAGE[damage](folder / "step-00000005")
    got, report = trained_constant(decoder, settings(folder))
    assert report.resumed_from == 4
    assert len(report.skipped_checkpoints) == 1
    assert report.skipped_checkpoints[0].startswith("step-00000005: ")
    assert torch.equal(got, expected)
    assert curve(report.points) == curve(whole.points)
    assert (report.best_step, report.change, report.tokens) == (whole.best_step, whole.change, whole.tokens)
    assert visible(folder) == ["step-00000006", "step-00000007", "training.json"]


def test_with_no_whole_checkpoint_it_starts_again_and_says_so(tmp_path: Path) -> None:
    decoder = llama()
    stop_at(3, decoder, settings(tmp_path))
    for number in (2, 3):
        halve(tmp_path / f"step-0000000{number}" / TENSORS)
    _, report = trained_constant(decoder, settings(tmp_path))
    assert report.resumed_from is None
    assert [text[:13] for text in report.skipped_checkpoints] == ["step-00000003", "step-00000002"]


@pytest.mark.parametrize("save_every", [1, 3, 100])
def test_a_cancel_at_any_look_resumes_bit_for_bit(tmp_path: Path, save_every: int) -> None:
    decoder = llama()
    expected, whole = trained_constant(decoder, settings(None))
    looks = Looks()
    trained_constant(decoder, settings(None), looks)
    folder = tmp_path / "run"
    # Over and over, each time a little further: in steps, in validations and between them.
    cancels = 0
    while cancels < 40:
        try:
            job = CancelAfter(looks.count // 2 + 7 * cancels)
            got, report = trained_constant(decoder, settings(folder, save_every=save_every), job)
            break
        except DepthkitError as error:
            assert error.code == "CANCELLED"
            cancels += 1
    assert cancels >= 1
    assert report.resumed_from is not None
    assert torch.equal(got, expected)
    assert curve(report.points) == curve(whole.points)


def test_a_finished_training_is_not_done_again(tmp_path: Path) -> None:
    decoder = llama()
    expected, whole = trained_constant(decoder, settings(tmp_path, patience=3))
    phases = set()

    class Listening(Unattended):
        def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
            phases.add(phase)

    got, report = trained_constant(decoder, settings(tmp_path, patience=3), Listening())
    assert report.resumed_from == whole.steps
    assert phases == {"training"}
    assert torch.equal(got, expected)
    # Times and all: nothing ran.
    assert report.points == whole.points


def test_dropout_and_masks_resume_bit_for_bit(tmp_path: Path) -> None:
    decoder = llama()
    for experts in (None, 0.4):
        folder = tmp_path / f"run {experts}"

        def fit(folder: Path | None, job: Unattended, experts: float | None = experts) -> Fitted:
            options = LoraOptions(
                rank=3,
                alpha=6.0,
                dropout=0.2,
                experts=None if experts is None else MaskedExperts(probability=experts),
                training=settings(folder, validation=0),
            )
            return fit_lora(options, ignore, base_of(decoder), job)

        looks = Looks()
        expected = fit(None, looks)
        with pytest.raises(DepthkitError):
            fit(folder, CancelAfter(looks.count * 2 // 3))
        got = fit(folder, Unattended())
        assert got.training is not None and expected.training is not None
        assert got.training.resumed_from is not None
        assert curve(got.training.points) == curve(expected.training.points)
        for a, b in zip(sums(got.fills[0]), sums(expected.fills[0]), strict=True):
            assert torch.equal(a, b)


def sums(fill: Fill) -> list[Tensor]:
    found: list[Tensor] = []
    for edit in fill.edits.values():
        for change in edit.weights.values():
            assert isinstance(change, Sum)
            found += [change.a, change.b]
    return found


def test_another_training_is_refused_and_named(tmp_path: Path) -> None:
    decoder, other = llama(), llama(dtype=torch.bfloat16)
    stop_at(3, decoder, settings(tmp_path))
    base, fill = base_of(decoder), constant(decoder)
    attention = (Unit("block", 2), Unit("block", 3), Unit("attention", 5))
    two = Fill(fill.removed, {3: BlockEdit(after=Constant(torch.zeros(32)))})

    def refused(on: Base, made: Fill, says: str, **changes: object) -> None:
        with pytest.raises(DepthkitError, match=says) as caught:
            train_fills(on, [made], settings(tmp_path, **changes), Unattended(), ignore)
        assert caught.value.code == "INVALID_ARGUMENT"

    refused(base, fill, r"settings.learning_rate is 0\.01, here it is 0\.5", learning_rate=0.5)
    refused(base, fill, "settings.steps is 7, here it is 8", steps=8)
    refused(base, fill, "settings.seed", seed=1)
    refused(dataclasses.replace(base, corpus=corpus(seed=3)), fill, "corpus.tokens")
    refused(dataclasses.replace(base, options=RepairFitOptions(skip_tokens=1)), fill, "skipTokens")
    refused(base_of(decoder, attention), fill, "removed")
    refused(base_of(other), constant(other), "model.dtype")
    refused(base, two, "trained.fills")
    refused(base, constant(decoder, 0.5), r"start\.norm\.2\.beside\.vector")
    # How often it is saved is nobody's business.
    _, report = train_fills(base, [fill], settings(tmp_path, save_every=4), Unattended(), ignore)
    assert report.resumed_from == 3


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DepthkitError, match=r"holds thesis\.txt") as caught:
        trained_constant(llama(), settings(tmp_path))
    assert caught.value.code == "TARGET_NOT_EMPTY"
    assert visible(tmp_path) == ["thesis.txt"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "other"}', '{"format": "depthkit-training"}'])
def test_a_description_that_cannot_be_read_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "training.json").write_text(content)
    with pytest.raises(DepthkitError) as caught:
        trained_constant(llama(), settings(tmp_path))
    assert caught.value.code == "UNSUPPORTED_FORMAT"


def killed_while_making(target: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path;"
        "from depthkit_worker.models.partial_folders import partial_folder;"
        "making = partial_folder(Path(sys.argv[1])); prepared = making.__enter__();"
        "(prepared.new / 'state.safetensors').write_bytes(b'half');"
        "os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script, str(target)], env=environment, check=False)


def test_what_a_killed_process_left_half_written_is_swept(tmp_path: Path) -> None:
    decoder = llama()
    stop_at(3, decoder, settings(tmp_path))
    killed_while_making(tmp_path / "step-00000004")
    assert len(leftovers(tmp_path)) == 1
    _, report = trained_constant(decoder, settings(tmp_path))
    assert report.resumed_from == 3 and not report.skipped_checkpoints
    assert visible(tmp_path) == ["step-00000006", "step-00000007", "training.json"]
    assert leftovers(tmp_path) == []


def test_the_files_are_plain_tensors_and_json(tmp_path: Path) -> None:
    trained_constant(llama(), settings(tmp_path))
    folder = tmp_path / "step-00000007"
    assert visible(folder) == [MARK, NUMBERS, TENSORS]
    numbers = json.loads((folder / NUMBERS).read_text())
    assert (numbers["step"], numbers["position"]) == (7, 14)
    assert set(json.loads((folder / MARK).read_text())) == {NUMBERS, TENSORS}


def test_a_full_disk_leaves_what_was_saved_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = llama()
    stop_at(3, decoder, settings(tmp_path))

    def full(*_arguments: object, **_options: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with (
        monkeypatch.context() as patch,
        pytest.raises(DepthkitError, match="saved before is whole") as caught,
    ):
        patch.setattr("depthkit_worker.repair.training.checkpoints.save_file", full)
        trained_constant(decoder, settings(tmp_path))
    assert caught.value.code == "DISK_FULL"
    assert visible(tmp_path) == ["step-00000002", "step-00000003", "training.json"]
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    _, report = trained_constant(decoder, settings(tmp_path))
    assert report.resumed_from == 3


def test_a_process_killed_while_it_saves_loses_at_most_a_step(tmp_path: Path) -> None:
    """JOB1, with a real kill."""
    script = (
        "import sys; from pathlib import Path; from influence.builders import llama;"
        "from training.builders import trained_constant; from training.test_checkpoints import settings;"
        "trained_constant(llama(), settings(Path(sys.argv[1]), steps=4000, warmup=2))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    folder = tmp_path / "run"
    child = subprocess.Popen([sys.executable, "-c", script, str(folder)], env=environment)
    try:
        while not list(folder.glob("step-0000001*")):
            assert child.poll() is None
            time.sleep(0.01)
    finally:
        child.kill()
        child.wait()
    newest = max(int(path.name[5:]) for path in folder.glob("step-*"))
    job = CancelAfter(10**9)
    points = []

    def stop(point: TrainingPoint) -> None:
        points.append(point)
        job.looks = 1

    decoder = llama()
    with pytest.raises(DepthkitError, match="cancelled"):
        train_fills(base_of(decoder), [constant(decoder)], settings(folder, steps=4000), job, stop)
    assert points[0].step in (newest, newest - 1)
