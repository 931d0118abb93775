"""From what the user calls a file of data to files on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthkit_worker.models.child import run_child
from depthkit_worker.session.job import Job

_HUB = "hf://"


@dataclass(frozen=True)
class DataFile:
    path: Path
    name: str
    """As it is told: its path, or that of a hub's file with the commit it is of."""


_fetched: dict[str, tuple[DataFile, ...]] = {}
"""By the user's name. A branch may get another commit at any time; what one worker says of a name, its digest
and its texts, is of one commit."""


def find_files(names: Sequence[str], job: Job) -> list[DataFile]:
    """The files that paths and names of the Hugging Face hub stand for, in their order; fetched once."""
    return [file for name in names for file in _files_of(name, job)]


def _files_of(name: str, job: Job) -> tuple[DataFile, ...]:
    if not name.startswith(_HUB):
        path = Path(name)
        return (DataFile(path, str(path)),)
    if name not in _fetched:
        found: dict[str, Any] = run_child("depthkit_worker.data.hub_dataset", ["--", name], job)
        folder = Path(found["folder"])
        _fetched[name] = tuple(
            DataFile(folder / path, f"{_HUB}datasets/{found['id']}@{folder.name}/{path}")
            for path in found["files"]
        )
    return _fetched[name]
