"""The folder of checkpoints of a training that another machine does.

Machines need not share a disk: the training keeps its checkpoints in a folder of its own machine, which
starts as what is in the caller's, and each one is carried to the caller's folder as soon as it is whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

from depthkit_worker.cache_folder import user_cache_folder
from depthkit_worker.models.partial_folders import partial_folder
from depthkit_worker.repair.training.checkpoints import (
    IDENTITY,
    cannot_keep,
    not_saved,
    prune,
    step_of,
    write_identity,
)
from depthkit_worker.repair.training.scratch import scratch_folder
from depthkit_worker.session.job import Job, Unattended


@dataclass(frozen=True)
class Carried:
    """Checkpoints on their way."""

    identity: bytes | None
    """`training.json`; None: there is none, or it is there already."""
    steps: dict[str, dict[str, bytes]]
    """By the folder's name, its files."""
    others: tuple[str, ...] = ()
    """What else is in the folder, for which it is refused."""


Send = Callable[[Carried], None]
"""Takes what is to go to the caller's folder."""


class Home:
    """The caller's folder, to which alone the caller's machine writes."""

    def __init__(self, folder: Path) -> None:
        """Refuses a folder that cannot be written to."""
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise cannot_keep(folder, error) from error

    def packed(self) -> Carried:
        """All that a training looks at which goes on from here."""
        entries = [path for path in self._folder.iterdir() if not path.name.startswith(".")]
        steps = [path for path in entries if step_of(path) is not None]
        identity = self._folder / IDENTITY
        return Carried(
            identity=identity.read_bytes() if identity in entries else None,
            steps={path.name: _files(path) for path in steps},
            others=tuple(path.name for path in entries if path not in steps and path != identity),
        )

    def receive(self, carried: Carried) -> None:
        if carried.identity is not None:
            write_identity(self._folder, carried.identity)
        for name, files in carried.steps.items():
            target = self._folder / name
            step = step_of(target)
            assert step is not None
            try:
                with partial_folder(target) as prepared:
                    _fill(prepared.new, files)
                    prepared.put_in_place(Unattended())
            except OSError as error:
                raise not_saved(self._folder, step, error) from error
            prune(self._folder, step)


class _CarryingJob:
    """A job of a training that is away: each checkpoint goes to `send` as soon as it is there."""

    def __init__(self, folder: Path, there: Carried, job: Job, send: Send) -> None:
        self._folder = folder
        self._job = job
        self._send = send
        self._sent = self._there()
        self._identity_sent = there.identity is not None

    def check(self) -> None:
        self.carry()
        self._job.check()

    def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
        self._job.report(phase, done, total, unit)

    def carry(self) -> None:
        fresh = sorted(self._there() - self._sent)
        identity = self._folder / IDENTITY
        begun = not self._identity_sent and identity.exists()
        if not fresh and not begun:
            return
        self._sent.update(fresh)
        self._identity_sent = self._identity_sent or begun
        steps = {name: _files(self._folder / name) for name, _ in fresh}
        self._send(Carried(identity.read_bytes() if begun else None, steps))

    def _there(self) -> set[tuple[str, int]]:
        """Checkpoints, each with its folder's own number: one in the place of a damaged one is another."""
        steps = (path for path in self._folder.iterdir() if step_of(path) is not None)
        return {(path.name, path.stat().st_ino) for path in steps}


@contextmanager
def away_from_home(there: Carried, job: Job, send: Send) -> Iterator[tuple[Path, Job]]:
    """A folder for checkpoints that starts as `there`, and the job of who trains in it. What was kept is sent
    on whatever happens."""
    with scratch_folder(user_cache_folder(), "training-away", 0) as folder:
        if there.identity is not None:
            write_identity(folder, there.identity)
        for name in there.others:
            (folder / name).touch()
        for name, files in there.steps.items():
            (folder / name).mkdir()
            _fill(folder / name, files)
        away = _CarryingJob(folder, there, job, send)
        try:
            yield folder, away
        finally:
            away.carry()


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def _fill(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)
