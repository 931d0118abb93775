"""Data on a hub: the real huggingface_hub against a server on this machine."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from pathlib import Path

import pytest

from data.builders import byte_level
from depthkit_worker.contract.wire import FileSource, OwnRows, RowFiles, TaskOptions
from depthkit_worker.data import find
from depthkit_worker.data.tasks import load_task
from depthkit_worker.data.text import read_texts
from depthkit_worker.data.tokens import Tokeniser
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.find import find_adapter
from depthkit_worker.models.hub import fetch_model
from depthkit_worker.models.limits import Limits
from depthkit_worker.session.job import Unattended, cancelled
from hub_server import Hub

FILES = {
    "README.md": b"# Texts\n",
    "data/train-00000-of-00002.jsonl": b'{"text": "one"}\n{"text": "two"}\n',
    "data/train-00001-of-00002.jsonl": b'{"text": "three"}\n',
    "data/test-00000-of-00001.jsonl": b'{"text": "four"}\n',
    "en/c4.json.gz": gzip.compress(b'{"text": "five"}\n{"text": "six"}\n'),
    "notes.txt": "Wörter\n".encode(),
}
TEXTS = "hf://datasets/me/texts"


@pytest.fixture
def hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """With a dataset, which nothing is known of yet."""
    forget(monkeypatch)
    hub.make("datasets/me/texts", files=FILES)
    return hub


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As another worker, later."""
    monkeypatch.setattr(find, "_fetched", {})


def texts(*files: str) -> tuple[str, ...]:
    return read_texts(FileSource(files=files), Unattended()).texts


def refusal(name: str) -> DepthkitError:
    with pytest.raises(DepthkitError) as found:
        texts(name)
    return found.value


def test_a_file_is_read_and_told_with_its_commit(hub: Hub) -> None:
    read = read_texts(FileSource(files=(f"{TEXTS}/notes.txt",)), Unattended())
    commit = hub.repos["datasets/me/texts"].branches["main"]
    assert read.texts == ("Wörter\n",)
    assert read.info.files == (f"{TEXTS}@{commit}/notes.txt",)
    # What is told can be given again, and reads nothing else.
    assert texts(*read.info.files) == read.texts


def test_a_pattern_stands_for_its_files_in_order(hub: Hub, tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("mine")
    assert texts(f"{TEXTS}/data/train-*.jsonl", str(own)) == ("one", "two", "three", "mine")
    fetched = {request.rsplit("/", 1)[1] for request in hub.requests if "/resolve/" in request}
    assert fetched == {"train-00000-of-00002.jsonl", "train-00001-of-00002.jsonl"}


def test_lines_in_a_json_gz_are_rows(hub: Hub) -> None:
    assert texts(f"{TEXTS}/en/c4.json.gz") == ("five", "six")


def test_a_branch_that_moves_is_read_at_one_commit(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{TEXTS}/notes.txt"
    assert texts(name) == ("Wörter\n",)
    hub.repos["datasets/me/texts"].commit("main", {"notes.txt": b"other"}, "new")
    assert texts(name) == ("Wörter\n",)
    forget(monkeypatch)
    assert texts(name) == ("other",)


def test_revisions_and_what_the_hub_converts(hub: Hub) -> None:
    repo = hub.repos["datasets/me/texts"]
    repo.commit("refs/convert/parquet", {"default/train/0000.jsonl": b'{"text": "seven"}\n'}, "converted")
    assert texts(f"{TEXTS}@~parquet/default/train/*") == ("seven",)
    assert texts(f"{TEXTS}@refs/convert/parquet/default/train/0000.jsonl") == ("seven",)
    assert refusal(f"{TEXTS}@v2/notes.txt").code == "FILE_NOT_FOUND"


def test_without_a_network_what_is_here_is_read_whole_or_not_at_all(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert texts(f"{TEXTS}/data/train-00000*") == ("one", "two")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    forget(monkeypatch)
    assert texts(f"{TEXTS}/data/train-00000*") == ("one", "two")
    partial = refusal(f"{TEXTS}/data/train-*")
    assert partial.code == "NETWORK"
    assert "not wholly on this machine" in partial.message
    assert refusal("hf://datasets/me/others/x.txt").code == "NETWORK"


def test_a_listing_that_is_not_here_is_missed_without_a_network(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    texts(f"{TEXTS}/notes.txt")
    for listing in (tmp_path / "hf").rglob("trees/*.json"):
        listing.unlink()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    forget(monkeypatch)
    assert refusal(f"{TEXTS}/notes.txt").code == "NETWORK"


@pytest.mark.parametrize("path", ["", "/data", "/data/train", "/data/valid-*"])
def test_what_names_no_file_is_told_which_there_are(hub: Hub, path: str) -> None:
    error = refusal(TEXTS + path)
    assert error.code == "FILE_NOT_FOUND"
    assert f"{TEXTS}/data/train-*.jsonl, {TEXTS}/en/c4.json.gz, {TEXTS}/notes.txt." in error.message
    assert "README.md" not in error.message
    assert f"{TEXTS}@~parquet" in error.message


def test_what_cannot_be_read_is_not_fetched(hub: Hub) -> None:
    error = refusal(f"{TEXTS}/*")
    assert (error.code, ".gitattributes ends in none of" in error.message) == ("UNSUPPORTED_FORMAT", True)
    assert not any("/resolve/" in request for request in hub.requests)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("hf://me/model/notes.txt", "INVALID_ARGUMENT"),
        ("hf://datasets/texts", "INVALID_ARGUMENT"),
        ("hf://", "INVALID_ARGUMENT"),
        ("hf://datasets/me/none/notes.txt", "FILE_NOT_FOUND"),
    ],
)
def test_other_names_are_refused(hub: Hub, name: str, code: str) -> None:
    error = refusal(name)
    assert error.code == code
    assert "dataset" in error.message


def test_a_dead_network_is_a_network_error(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert refusal(f"{TEXTS}/notes.txt").code == "NETWORK"


def test_rows_of_a_task(hub: Hub) -> None:
    row = json.dumps({"task": "lambada", "context": "a b", "target": "c"})
    hub.make("datasets/me/rows", files={"test.jsonl": row.encode()})
    tokeniser = Tokeniser(byte_level(), Limits(tokens=None))
    on_hub = RowFiles(files=("hf://datasets/me/rows/test.jsonl",))
    task = load_task(tokeniser, on_hub, TaskOptions(), Unattended())
    commit = hub.repos["datasets/me/rows"].branches["main"]
    assert task.info.files == (f"hf://datasets/me/rows@{commit}/test.jsonl",)
    assert task.info.file_digests == (hashlib.sha256(row.encode()).hexdigest(),)
    own = load_task(tokeniser, OwnRows(rows=(row,)), TaskOptions(), Unattended())
    assert task.info.digest == own.info.digest


def test_a_model_tells_the_bytes_that_it_fetches(hub: Hub) -> None:
    files = {"config.json": b"{}", "model.safetensors": bytes(300_000), "code.py": b"", "old.bin": b"old"}
    hub.make("me/model", files=files)
    told: list[tuple[int, int | None, str]] = []

    class Told(Unattended):
        def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
            told.append((done, total, unit))

    folder = fetch_model("me/model", None, Told(), with_code=False)
    assert folder.name == hub.repos["me/model"].branches["main"]
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    whole = len(b"{}") + 300_000
    assert told[0] == (0, None, "bytes")
    assert told[-1] == (whole, whole, "bytes")


def test_old_weights_are_fetched_where_there_are_no_others(hub: Hub) -> None:
    hub.make("me/old", files={"config.json": b"{}", "pytorch_model.bin": b"old", "code.py": b""})
    folder = fetch_model("me/old", None, Unattended(), with_code=True)
    assert sorted(path.name for path in folder.iterdir()) == ["code.py", "config.json", "pytorch_model.bin"]
    assert find_adapter("me/old", Unattended()) == folder


def test_a_cancel_ends_a_fetch_at_once(hub: Hub) -> None:
    hangs, ends = threading.Event(), threading.Event()

    def hang(method: str, path: str) -> None:
        if "/resolve/" in path:
            hangs.set()
            ends.wait()

    class Cancelled(Unattended):
        def check(self) -> None:
            if hangs.is_set():
                raise cancelled()

    hub.before = hang
    with pytest.raises(DepthkitError) as found:
        read_texts(FileSource(files=(f"{TEXTS}/notes.txt",)), Cancelled())
    ends.set()
    assert found.value.code == "CANCELLED"
