"""A folder of checkpoints that survives being killed at any moment.

    training.json               what is trained, on what and how: another training is refused
    step-00000050/state.json    counters, the curve, schedule
    step-00000050/state.safetensors
    step-00000050/complete.json sizes and sha256 of the other two, written last

A checkpoint is written under a temporary name, flushed to disk and renamed. It counts when its mark is
there and the files are those the mark names. The last two are kept.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from depthkit_worker.disk_full import disk_full
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.folders import sha256_of_files
from depthkit_worker.models.partial_folders import partial_folder, sweep
from depthkit_worker.repair.training.options import SettledTraining
from depthkit_worker.repair.training.state import State
from depthkit_worker.session.job import Unattended

FORMAT = "depthkit-training"
VERSION = 1
KEPT = 2
IDENTITY = "training.json"
NUMBERS = "state.json"
TENSORS = "state.safetensors"
MARK = "complete.json"
START_TOLERANCE = 1e-3
"""By how much a starting value's norm may differ on another machine: sums are added in another order
there."""

_NAME = re.compile(r"step-([0-9]{8,})", re.ASCII)


@dataclass(frozen=True)
class Resumed:
    step: int | None
    """None: there was nothing to go on from."""
    skipped: tuple[str, ...]
    """Newer checkpoints that were incomplete or damaged, and why."""


class Checkpoints:
    """The checkpoints of one training. `identity`: all that makes it this training and no other, as JSON."""

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self._folder = folder
        self.newest: int | None = None
        """The step of the newest whole one."""
        self._faults: dict[Path, str | None] = {}
        """Of the checkpoints found on opening: a large one takes a while to hash."""
        self._open({"format": FORMAT, "version": VERSION, "training": json.loads(json.dumps(identity))})

    def resume(self, state: State) -> Resumed:
        """Put the newest valid checkpoint into `state`."""
        skipped: list[str] = []
        for step, folder in _found(self._folder):
            why = self._fault(folder)
            if why is None:
                try:
                    numbers = _json(folder / NUMBERS)
                    self._check_start(numbers["start"], json.loads(json.dumps(state.start)))
                    state.restore(numbers, load_file(folder / TENSORS))
                except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
                    # Its files are those that were written, so it is not damage.
                    raise DepthkitError(
                        "UNSUPPORTED_FORMAT",
                        f"Resuming the training in {self._folder}: {folder.name} was written by another "
                        f"version of depthkit ({error}). Train in another folder.",
                        folder=str(self._folder),
                    ) from error
                self.newest = step
                return Resumed(step, tuple(skipped))
            skipped.append(f"{folder.name}: {why}")
        return Resumed(None, tuple(skipped))

    def finished(self, options: SettledTraining) -> bool:
        """Whether the newest whole checkpoint is the training's end."""
        whole = (folder for _, folder in _found(self._folder) if self._fault(folder) is None)
        numbers = next((_json(folder / NUMBERS) for folder in whole), None)
        if numbers is None or (options.validation and numbers["validated"] < numbers["step"]):
            return False
        patience = options.patience
        return bool(
            numbers["step"] >= options.steps
            or (patience is not None and numbers["withoutImprovement"] >= patience)
        )

    def save(self, state: State) -> None:
        if self.newest == state.step:
            return
        target = self._folder / f"step-{state.step:08}"
        try:
            with partial_folder(target) as prepared:
                folder = prepared.new
                save_file(state.tensors(), folder / TENSORS)
                (folder / NUMBERS).write_text(json.dumps(state.numbers()), encoding="utf-8")
                files = {name: _described(folder / name) for name in (NUMBERS, TENSORS)}
                for name in files:
                    _flush(folder / name)
                (folder / MARK).write_text(json.dumps(files), encoding="utf-8")
                prepared.put_in_place(Unattended())
        except (OSError, SafetensorError) as error:
            raise not_saved(self._folder, state.step, error) from error
        prune(self._folder, state.step)
        self.newest = state.step

    def _fault(self, folder: Path) -> str | None:
        if folder not in self._faults:
            self._faults[folder] = _fault(folder)
        return self._faults[folder]

    def _open(self, content: dict[str, Any]) -> None:
        folder = self._folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            others = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
        except OSError as error:
            raise cannot_keep(folder, error) from error
        if not others:
            write_identity(folder, (json.dumps(content, indent=2) + "\n").encode())
        if others and IDENTITY not in others:
            raise DepthkitError(
                "TARGET_NOT_EMPTY",
                f"Training cannot keep checkpoints in {folder}: it holds {others[0]} and no {IDENTITY}, so "
                "it is something else's. Give an empty folder, or one that does not exist yet.",
                folder=str(folder),
            )
        self._compare(content)
        sweep(folder)

    def _compare(self, content: dict[str, Any]) -> None:
        path = self._folder / IDENTITY
        try:
            there = _json(path)
        except ValueError as error:
            there = {"format": f"no JSON: {error}"}
        if there.get("format") != FORMAT or there.get("version") != VERSION:
            raise DepthkitError(
                "UNSUPPORTED_FORMAT",
                f"{path} describes no training that this depthkit goes on with: it needs format {FORMAT}, "
                f"version {VERSION}. Train in another folder.",
                folder=str(self._folder),
            )
        differences = _differences(there["training"], content["training"])
        self._refuse(differences)

    def _check_start(self, there: dict[str, Any], here: dict[str, Any]) -> None:
        """Refuse a checkpoint whose parameters began elsewhere: they are those of another method."""
        shapes = _differences(_shapes(there), _shapes(here), "shape")
        norms = {
            f"norm.{name}": (there[name]["norm"], start["norm"])
            for name, start in here.items()
            if name in there
            and not math.isclose(there[name]["norm"], start["norm"], rel_tol=START_TOLERANCE, abs_tol=1e-6)
        }
        self._refuse({f"start.{name}": values for name, values in {**shapes, **norms}.items()})

    def _refuse(self, differences: Mapping[str, tuple[Any, Any]]) -> None:
        if not differences:
            return
        name, (was, now) = next(iter(differences.items()))
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The training in {self._folder} is another one: its {name} is {_short(was)}, here it is "
            f"{_short(now)}{_more(len(differences))}. Go on with what it was started with, or train in "
            f"another folder.",
            folder=str(self._folder),
            differs=list(differences),
        )


def step_of(folder: Path) -> int | None:
    """Of which step a checkpoint is, by its name; None: it is none."""
    match = _NAME.fullmatch(folder.name)
    return None if match is None else int(match[1])


def prune(folder: Path, newest: int) -> None:
    """Keep the newest checkpoint and the one before it. Later ones were skipped as damaged."""
    kept = 0
    for step, one in _found(folder):
        if step <= newest and kept < KEPT:
            kept += 1
            continue
        shutil.rmtree(one, ignore_errors=True)


def write_identity(folder: Path, content: bytes) -> None:
    try:
        partial = folder / f".{IDENTITY}.{os.getpid()}.partial"
        partial.write_bytes(content)
        _flush(partial)
        partial.replace(folder / IDENTITY)
    except OSError as error:
        raise cannot_keep(folder, error) from error


def cannot_keep(folder: Path, error: OSError) -> DepthkitError:
    return DepthkitError(
        "DISK_FULL" if disk_full(error) else "INVALID_ARGUMENT",
        f"Training cannot keep checkpoints in {folder}: {error}. Give a folder that can be written to.",
        folder=str(folder),
    )


def not_saved(folder: Path, step: int, error: Exception) -> DepthkitError:
    return DepthkitError(
        "DISK_FULL" if disk_full(error) else "INTERNAL",
        f"Saving step {step} of the training to {folder} failed: {error}. What was saved before is whole; "
        "make room and run the same training again, and it goes on from there.",
        folder=str(folder),
        step=step,
    )


def _found(folder: Path) -> list[tuple[int, Path]]:
    """Checkpoints whole or not, the newest first."""
    named = [(step, path) for path in folder.iterdir() if (step := step_of(path)) is not None]
    return sorted(named, reverse=True)


def _fault(folder: Path) -> str | None:
    """What is wrong with a checkpoint; None where it is whole."""
    try:
        mark = _json(folder / MARK)
        for name in (NUMBERS, TENSORS):
            wanted, path = mark[name], folder / name
            if not path.is_file():
                return f"{name} is missing"
            if path.stat().st_size != wanted["bytes"]:
                return f"{name} has {path.stat().st_size} bytes of {wanted['bytes']}"
            if _described(path) != wanted:
                return f"{name} is not what was written"
    except FileNotFoundError:
        return f"{MARK} is missing"
    except (OSError, KeyError, TypeError, ValueError):
        return f"{MARK} is damaged"
    return None


def _shapes(start: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry["shape"] for name, entry in start.items()}


def _described(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": sha256_of_files([path], lambda: None)}


def _json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds no object")
    return content


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _differences(there: Any, here: Any, where: str = "") -> dict[str, tuple[Any, Any]]:
    """Leaves of two JSON values that differ, by their path."""
    if isinstance(there, dict) and isinstance(here, dict):
        found: dict[str, tuple[Any, Any]] = {}
        for key in sorted({*there, *here}):
            found |= _differences(there.get(key), here.get(key), f"{where}.{key}" if where else key)
        return found
    return {} if there == here else {where: (there, here)}


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _more(count: int) -> str:
    return f" (and {count - 1} more differ)" if count > 1 else ""
