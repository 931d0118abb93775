"""What may be replaced, and what is refused before any work."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest

from depthkit_worker.contract.wire import TargetKind
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.target import check_target

NOBODY = 65534
EXPORTED = json.dumps({"version": 1, "source": {}, "steps": []})
SAVED = json.dumps({"format": "depthkit-repair", "version": 2, "repairs": []})


def refusal(target: Path, kind: TargetKind, *, overwrite: bool = True) -> tuple[str, str]:
    with pytest.raises(DepthkitError) as caught:
        check_target(target, kind, overwrite)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize(
    ("kind", "files", "words"),
    [
        (
            "export",
            {"config.json": "{}", "model.safetensors": ""},
            "config.json, model.safetensors and no depthkit",
        ),
        ("export", {"depthkit.json": "{}"}, "a depthkit.json that is not depthkit's"),
        ("export", {"depthkit.json": "[" * 100_000}, "a depthkit.json that is not depthkit's"),
        ("export", {"depthkit.json": EXPORTED, "runs/1.log": ""}, "holds the folder runs as well"),
        ("export", {"repair.json": SAVED}, "holds repair.json and no depthkit.json"),
        ("repair", {"repair.json": "{}"}, "a repair.json that is not depthkit's"),
        ("repair", {"depthkit.json": EXPORTED}, "holds depthkit.json and no repair.json"),
        ("repair", {"a": "", "b": "", "c": "", "d": ""}, "holds a, b, c and 1 more and no repair.json"),
    ],
)
def test_nothing_else_is_replaced_even_when_asked_to(
    kind: TargetKind, files: dict[str, str], words: str, tmp_path: Path
) -> None:
    target = tmp_path / "o"
    for name, content in files.items():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text(content)
    code, message = refusal(target, kind)
    assert code == "TARGET_NOT_EMPTY"
    assert words in message and "even when asked to" in message
    assert "Name another folder, or empty it by hand." in message


@pytest.mark.parametrize(("kind", "mark", "content"), [
    ("export", "depthkit.json", EXPORTED),
    ("repair", "repair.json", SAVED),
])  # fmt: skip
def test_what_depthkit_wrote_is_replaced_when_asked_to(
    kind: TargetKind, mark: str, content: str, tmp_path: Path
) -> None:
    (tmp_path / mark).write_text(content)
    assert check_target(tmp_path, kind, overwrite=True) == tmp_path.resolve()
    code, message = refusal(tmp_path, kind, overwrite=False)
    assert code == "TARGET_NOT_EMPTY" and "ask to overwrite" in message


@pytest.mark.parametrize("kind", ["export", "repair", "files"])
def test_a_file_in_the_way_is_named(kind: TargetKind, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert refusal(tmp_path / "file", kind)[0] == "INVALID_ARGUMENT"
    code, message = refusal(tmp_path / "file" / "below" / "it", kind)
    assert code == "INVALID_ARGUMENT" and f"{tmp_path / 'file'} is a file" in message


def as_someone(closed: Path) -> tuple[str, str]:
    """The refusal that a user meets who is not root: to root every folder is open."""
    if os.geteuid() != 0:
        return refusal(closed / "o", "export")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writing, json.dumps(refusal(closed / "o", "export")).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as told:
        code, message = json.load(told)
    return code, message


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions of folders")
def test_a_closed_folder_is_named() -> None:
    # Not in pytest's own folder for temporary files, which is root's alone where root runs the tests.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        closed = Path(folder) / "closed"
        closed.mkdir(mode=0o500 if os.geteuid() != 0 else 0o755)
        code, message = as_someone(closed)
    assert code == "INVALID_ARGUMENT" and "is closed to this user" in message


def test_a_folder_that_is_not_there_is_no_fault_and_is_not_made(tmp_path: Path) -> None:
    for kind in ("export", "repair", "files"):
        check_target(tmp_path / "a" / "b", kind, overwrite=False)
    assert list(tmp_path.iterdir()) == []
