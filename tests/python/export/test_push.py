"""Exports on a hub: the real huggingface_hub against a server on this machine, and the bytes it then has."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import hf_xet
import pytest
from transformers import LlamaConfig, PreTrainedTokenizerBase

from data.builders import byte_level
from depthkit_worker.contract.wire import GgufOptions, HubPushParams, HubPushResult
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.gguf.export_gguf import export_gguf
from depthkit_worker.export.hub.push import push_in_child
from depthkit_worker.handlers.hub import push as handler
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.folders import files_in, sha256_of_files
from depthkit_worker.models.units import Unit
from depthkit_worker.session.call import Call
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.session.session import Session
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from export.checkpoints import save
from hub_server import TOKEN, Hub
from tiny import SHAPE, random_model, tiny_model

REPO = "me/smaller"


@pytest.fixture
def exported(words: PreTrainedTokenizerBase, tmp_path: Path) -> Path:
    """In several shards."""
    save(Decoder(tiny_model("llama"), words), (Unit("block", 2),), tmp_path / "out", max_shard_bytes=60_000)
    assert len(list((tmp_path / "out").glob("*.safetensors"))) > 1
    return tmp_path / "out"


def push(path: Path, **options: Any) -> HubPushResult:
    return push_in_child(HubPushParams(path=str(path), repo=REPO, **options), Unattended())


def refused(path: Path, **options: Any) -> DepthkitError:
    with pytest.raises(DepthkitError) as found:
        push(path, **options)
    return found.value


def content(path: Path) -> dict[str, bytes]:
    return {name: file.read_bytes() for name, file in files_in(path)}


def held(hub: Hub, branch: str = "main") -> dict[str, bytes]:
    files = dict(hub.repos[REPO].files(branch))
    assert files.pop(".gitattributes").startswith(b"*.safetensors")
    return files


def written(hub: Hub) -> list[str]:
    """Requests that change something."""
    return [one for one in hub.requests if not one.startswith("GET") and "preupload" not in one]


def test_a_new_repository_gets_every_file_byte_for_byte(hub: Hub, exported: Path) -> None:
    result = push(exported, private=True, message="Two blocks less")
    assert held(hub) == content(exported)
    assert hub.repos[REPO].private
    assert hub.repos[REPO].messages[-1] == "Two blocks less"
    assert result.created
    assert (result.repo, result.revision, result.url) == (REPO, "main", f"{hub.address}/{REPO}")
    assert result.commit == hub.repos[REPO].branches["main"]
    assert {one.name: one.bytes for one in result.files} == {
        name: len(data) for name, data in content(exported).items()
    }
    assert result.bytes == sum(map(len, content(exported).values()))
    assert result.deleted == ()


def test_large_files_go_by_xet_where_the_library_has_it(
    hub: Hub, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client of Xet itself, which keeps the pieces in a folder in place of its service."""
    monkeypatch.delenv("HF_HUB_DISABLE_XET")
    hub.storage = exported.parent / "xet"
    shards = sorted(exported.glob("*.safetensors"))
    for path, found in zip(shards, hf_xet.hash_files([str(path) for path in shards]), strict=True):
        hub.by_xet[sha256_of_files([path], lambda: None)] = (found.hash, path.stat().st_size)
    push(exported)
    assert held(hub) == content(exported)
    assert not any(one.startswith("PUT") for one in hub.requests)


def test_the_weights_that_arrived_before_are_not_sent_again(hub: Hub, exported: Path) -> None:
    hub.refuse = lambda method, path: 403 if "/commit/" in path else None
    assert refused(exported).code == "HUB_REFUSED"
    sent = sum(one.startswith("PUT") for one in hub.requests)
    assert sent == len(list(exported.glob("*.safetensors")))
    hub.refuse = lambda method, path: None
    push(exported)
    assert sum(one.startswith("PUT") for one in hub.requests) == sent
    assert held(hub) == content(exported)


def test_files_that_are_there_stay_unless_it_is_to_overwrite(hub: Hub, exported: Path) -> None:
    before = {"model.safetensors": b"another model", "README.md": b"its card"}
    repo = hub.make(REPO, files=before)
    error = refused(exported)
    assert error.code == "TARGET_NOT_EMPTY"
    assert "main of me/smaller holds model.safetensors, README.md already" in error.message
    assert held(hub) == before
    assert written(hub) == []
    # A file of the other model beside the shards would be the one that is loaded.
    result = push(exported, overwrite=True)
    assert held(hub) == content(exported)
    assert result.deleted == ("model.safetensors",)
    assert not result.created
    assert any(files.get("README.md") == b"its card" for files in repo.commits.values())


def test_a_branch_is_made_and_main_keeps_what_it_has(hub: Hub, exported: Path) -> None:
    hub.make(REPO, files={"model.safetensors": b"another model"})
    result = push(exported, revision="without-2")
    assert held(hub, "without-2") == content(exported)
    assert held(hub) == {"model.safetensors": b"another model"}
    assert result.url == f"{hub.address}/{REPO}/tree/without-2"
    assert refused(exported, revision="without-2").code == "TARGET_NOT_EMPTY"


def test_a_public_repository_is_not_taken_for_a_private_one(hub: Hub, exported: Path) -> None:
    hub.make(REPO)
    error = refused(exported, private=True)
    assert error.code == "INVALID_ARGUMENT"
    assert "it is there and public" in error.message
    assert held(hub) == {}


def test_a_tag_takes_no_commit(hub: Hub, exported: Path) -> None:
    repo = hub.make(REPO)
    repo.tags["v1"] = repo.branches["main"]
    error = refused(exported, revision="v1")
    assert (error.code, "v1 is a tag of me/smaller" in error.message) == ("INVALID_ARGUMENT", True)


def test_a_commit_that_came_meanwhile_is_not_replaced(hub: Hub, exported: Path) -> None:
    repo = hub.make(REPO)

    def come(method: str, path: str) -> None:
        if "/commit/" in path:
            repo.commit("main", {**repo.files(), "note.txt": b"theirs"}, "theirs")

    hub.before = come
    error = refused(exported)
    assert (error.code, error.details["status"]) == ("HUB_REFUSED", 412)
    assert "a commit that came to the branch meanwhile" in error.message
    assert held(hub) == {"note.txt": b"theirs"}


def test_files_that_the_repository_ignores_are_told(hub: Hub, exported: Path) -> None:
    hub.ignored = {"generation_config.json"}
    error = refused(exported)
    assert error.code == "HUB_REFUSED"
    assert "generation_config.json is not in it" in error.message


@pytest.mark.parametrize(
    ("status", "at", "code", "said"),
    [
        (
            401,
            "",
            "HUB_REFUSED",
            "it does not know the token, or it has run out. Log in with `hf auth login`",
        ),
        (403, "/preupload/", "HUB_REFUSED", "the token may not write there. Is me yours"),
        (404, "/api/repos/create", "HUB_REFUSED", "no owner me"),
        (409, "/api/repos/create", "HUB_REFUSED", "a repository of this name that this token may not see"),
        (413, "/commit/", "HUB_REFUSED", "answered 413 (Refused with 413): the request was refused"),
        (429, "/refs", "HUB_REFUSED", "Wait a few minutes"),
        (503, "/commit/", "NETWORK", "the fault is on its side"),
        (403, "/large/", "HUB_REFUSED", "the token may not write there"),
    ],
)
def test_what_the_hub_refuses_has_its_own_words(
    hub: Hub, exported: Path, status: int, at: str, code: str, said: str
) -> None:
    hub.refuse = lambda method, path: status if at in path else None
    error = refused(exported)
    assert (error.code, error.details["status"]) == (code, status)
    assert f"{hub.address} answered {status}" in error.message
    assert said in error.message


def test_a_token_that_the_hub_does_not_know(
    hub: Hub, exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    error = refused(exported)
    assert (error.code, error.details["status"]) == ("HUB_REFUSED", 401)
    assert "hf_other" not in error.message


def test_without_a_token_nothing_is_asked(hub: Hub, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    error = refused(exported)
    assert error.code == "HUB_REFUSED"
    assert "there is no token" in error.message
    assert "`hf auth login`, or set HF_TOKEN" in error.message
    assert hub.requests == []


def test_the_token_of_a_login_is_taken(hub: Hub, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN")
    home = exported.parent / "hf"
    home.mkdir()
    (home / "token").write_text(TOKEN)
    assert push(exported).created


def test_offline_nothing_is_asked(hub: Hub, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    error = refused(exported)
    assert (error.code, "HF_HUB_OFFLINE" in error.message) == ("NETWORK", True)
    assert hub.requests == []


def test_a_dead_network_says_where_it_went(hub: Hub, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    error = refused(exported)
    assert error.code == "NETWORK"
    assert "http://127.0.0.1:9 cannot be reached (ConnectError" in error.message
    assert "HF_ENDPOINT" in error.message


def test_a_cancel_ends_it_at_once(hub: Hub, exported: Path) -> None:
    """In the middle of an upload that does not get on, and would not for a minute."""
    reached, go_on, params = (
        threading.Event(),
        threading.Event(),
        HubPushParams(path=str(exported), repo=REPO),
    )

    def hang(method: str, path: str) -> None:
        if method == "PUT":
            reached.set()
            go_on.wait(60)

    class Cancelled(Unattended):
        def check(self) -> None:
            if reached.is_set():
                raise cancelled()

    hub.before = hang
    try:
        with pytest.raises(DepthkitError) as stopped:
            push_in_child(params, Cancelled())
        assert (stopped.value.code, go_on.is_set()) == ("CANCELLED", False)
    finally:
        go_on.set()
    assert held(hub) == {}


def test_a_gguf_file_goes_alone_or_in_a_folder_of_its_own(hub: Hub, tmp_path: Path) -> None:
    files = tmp_path / "files"
    model = random_model(LlamaConfig(**{**SHAPE, "vocab_size": 704, "intermediate_size": 64}))
    subnetwork = Subnetwork(Decoder(model, byte_level()), (Unit("block", 1),))
    export_gguf(subnetwork, files / "smaller.gguf", GgufOptions(), Unattended())
    result = push(files / "smaller.gguf")
    assert [one.name for one in result.files] == ["smaller.gguf"]
    assert held(hub) == content(files)
    (files / "README.md").write_text("Mine.")
    push(files, overwrite=True)
    assert held(hub) == content(files)
    whole = (files / "smaller.gguf").read_bytes()
    (files / "smaller.gguf").write_bytes(whole[:-100])
    error = refused(files, overwrite=True)
    assert (error.code, "it is cut" in error.message) == ("MODEL_INVALID", True)


def test_what_is_not_whole_or_no_export_is_refused_before_anything_is_asked(hub: Hub, exported: Path) -> None:
    shard = next(exported.glob("*.safetensors"))
    data = shard.read_bytes()
    shard.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    error = refused(exported)
    assert (error.code, "the weights are not those" in error.message) == ("MODEL_INVALID", True)
    shard.unlink()
    assert refused(exported).code == "MODEL_INVALID"
    shard.write_bytes(data)

    configuration = (exported / "config.json").read_bytes()
    (exported / "config.json").write_bytes(configuration[:-5])
    assert refused(exported).code == "MODEL_INVALID"
    (exported / "config.json").write_bytes(configuration)

    for name, words in ((".env", "hidden"), ("checkpoints", "the folder checkpoints"), ("link", "a link")):
        path = exported / name
        if words == "hidden":
            path.write_text("SECRET=1")
        elif words == "a link":
            path.symlink_to(exported.parent)
        else:
            path.mkdir()
        error = refused(exported)
        assert (error.code, words in error.message) == ("INVALID_ARGUMENT", True)
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()

    provenance = (exported / "depthkit.json").read_bytes()
    (exported / "depthkit.json").unlink()
    error = refused(exported)
    assert (error.code, "it has no depthkit.json" in error.message) == ("INVALID_ARGUMENT", True)
    (exported / "depthkit.json").write_text(json.dumps({}))
    assert refused(exported).code == "MODEL_INVALID"
    (exported / "depthkit.json").write_bytes(provenance)

    assert refused(exported.parent / "nothing").code == "FILE_NOT_FOUND"
    assert refused(exported / "README.md").code == "INVALID_ARGUMENT"
    assert hub.requests == []


def test_a_name_that_the_hub_has_no_repository_of(hub: Hub, exported: Path) -> None:
    params = HubPushParams(path=str(exported), repo="me/a..b")
    with pytest.raises(DepthkitError) as error:
        push_in_child(params, Unattended())
    assert (error.value.code, "no name of a repository" in error.value.message) == ("INVALID_ARGUMENT", True)


def test_a_worker_for_other_machines_lends_its_token_to_nobody(exported: Path) -> None:
    call = Call(b"", 1, "hub.push", [], lambda _: None)
    with pytest.raises(DepthkitError) as error:
        handler(Session(remote=True), HubPushParams(path=str(exported), repo=REPO), call)
    assert error.value.code == "INVALID_ARGUMENT"
