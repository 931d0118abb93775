"""What killed processes leave, and what is never touched: with real processes, killed in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from depthkit_worker.models.partial_folders import leftovers, partial_folder, sweep
from depthkit_worker.session.job import Unattended

WORKING = """
import sys
from pathlib import Path
from depthkit_worker.models.partial_folders import partial_folder
from depthkit_worker.session.job import Unattended

{patch}
with partial_folder(Path(sys.argv[1])) as prepared:
    (prepared.new / "weights").write_bytes(b"new")
    print("ready", flush=True)
    {then}
"""
WAITS = "sys.stdin.read()"


@contextmanager
def at_work(target: Path, then: str = WAITS, patch: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of making `target`, killed at the end."""
    child = subprocess.Popen(
        [sys.executable, "-c", WORKING.format(then=then, patch=patch), str(target)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdin is not None and child.stdout is not None
    try:
        assert child.stdout.readline() == "ready\n"
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def make(target: Path, content: bytes = b"mine") -> None:
    with partial_folder(target) as prepared:
        (prepared.new / "weights").write_bytes(content)
        prepared.put_in_place(Unattended())


def test_what_a_killed_process_left_goes_with_the_next_folder_made_there(tmp_path: Path) -> None:
    with at_work(tmp_path / "model"):
        (found,) = leftovers(tmp_path)
        assert (found.owner, found.bytes > 3) == ("in use", True)
    assert [found.owner for found in leftovers(tmp_path)] == ["abandoned"]
    make(tmp_path / "another")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["another"]


def test_a_process_at_work_keeps_its_folder_whoever_sweeps(tmp_path: Path) -> None:
    with at_work(tmp_path / "model") as child:
        before = hidden(tmp_path)
        assert sweep(tmp_path) == []
        make(tmp_path / "model")
        assert hidden(tmp_path) == before
        child.communicate("")
    assert hidden(tmp_path) == []


def test_one_that_goes_with_its_process_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = os.scandir

    def after_its_end(path: str | int) -> Iterator[os.DirEntry[str]]:
        if str(path).endswith(".partial") and child.poll() is None:
            child.communicate("")
        return look(path)

    monkeypatch.setattr(os, "scandir", after_its_end)
    with at_work(tmp_path / "model") as child:
        assert leftovers(tmp_path) == []
    with at_work(tmp_path / "model") as child:
        make(tmp_path / "another")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["another"]


def of_another_machine(folder: Path) -> None:
    (folder / "lock").write_text("elsewhere\n1\n")


def without_a_lock(folder: Path) -> None:
    (folder / "lock").unlink()


def not_yet_locked(folder: Path) -> None:
    (folder / "lock").write_text("")


@pytest.mark.parametrize("change", [of_another_machine, without_a_lock, not_yet_locked])
def test_what_nobody_here_can_vouch_for_is_left_and_told(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    with at_work(tmp_path / "model"):
        pass
    (folder,) = (tmp_path / name for name in hidden(tmp_path))
    change(folder)
    assert sweep(tmp_path) == []
    assert [(found.folder, found.owner) for found in leftovers(tmp_path)] == [(folder, "unknown")]


def test_other_folders_of_such_names_and_links_are_left(tmp_path: Path) -> None:
    (tmp_path / ".mine.partial").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "thesis").write_text("mine")
    (tmp_path / ".link.x.partial").symlink_to(tmp_path / "elsewhere")
    make(tmp_path / "model")
    assert sorted(hidden(tmp_path)) == [".link.x.partial", ".mine.partial"]
    assert (tmp_path / "elsewhere" / "thesis").exists()


def test_killed_between_the_two_renames_what_stood_there_comes_back(tmp_path: Path) -> None:
    make(tmp_path / "model", b"before")
    # The second rename, of `new`, is where it waits to be killed.
    patch = (
        "rename = Path.rename\n"
        "Path.rename = lambda self, target: rename(self, target) if self.name != 'new' else"
        " (print('between', flush=True), sys.stdin.read())"
    )
    with at_work(tmp_path / "model", "prepared.put_in_place(Unattended())", patch) as child:
        assert child.stdout is not None and child.stdout.readline() == "between\n"
        assert not (tmp_path / "model").exists()
    assert len(sweep(tmp_path)) == 1
    assert (tmp_path / "model" / "weights").read_bytes() == b"before"
    assert hidden(tmp_path) == []


def test_a_folder_that_cannot_be_put_in_place_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "model", b"before")
    rename = Path.rename

    def broken(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError("the disk went away")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises(OSError, match="went away"):
        make(tmp_path / "model")
    assert (tmp_path / "model" / "weights").read_bytes() == b"before"
    assert hidden(tmp_path) == []
