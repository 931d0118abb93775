"""A small hub on this machine: what huggingface_hub asks of the real one to put files there, and to fetch
them, and no more. A dataset is kept under the name `datasets/OWNER/NAME`.

It keeps what it gets. `python hub_server.py FOLDER` prints its address, serves until standard input ends, and
writes what every branch holds then to FOLDER, as FOLDER/OWNER/NAME/BRANCH/.... With `--hang` it says that a
file has come or is asked for, and never answers. With `--dataset OWNER/NAME FILE` it has a dataset.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_test"
LARGE = (".safetensors", ".gguf", ".onnx")

Answer = tuple[int, Any, dict[str, str]]
"""Status, content and headers."""


@dataclass
class Repo:
    private: bool
    branches: dict[str, str] = field(default_factory=dict)
    """Each with its last commit."""
    tags: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)

    def commit(self, branch: str, files: dict[str, bytes], message: str) -> str:
        number = hashlib.sha1(f"{branch}{len(self.commits)}".encode()).hexdigest()
        self.commits[number] = files
        self.branches[branch] = number
        self.messages.append(message)
        return number

    def files(self, branch: str = "main") -> dict[str, bytes]:
        return self.commits[self.branches[branch]]


class Hub:
    """What the hub holds, and how it misbehaves where a test wants that."""

    def __init__(self) -> None:
        self.repos: dict[str, Repo] = {}
        self.large: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.refuse: Callable[[str, str], int | None] = lambda method, path: None
        """A status in place of the answer."""
        self.before: Callable[[str, str], None] = lambda method, path: None
        """Happens before a request is answered."""
        self.ignored: set[str] = set()
        """Files that a .gitignore of the repository names."""
        self.storage: Path | None = None
        """Where large files come by Xet: a folder that its client takes for the service."""
        self.by_xet: dict[str, tuple[str, int]] = {}
        """Of files that come so, by their sha256: Xet's own digest, and bytes."""
        self.address = ""

    def make(self, name: str, private: bool = False, files: dict[str, bytes] | None = None) -> Repo:
        repo = self.repos[name] = Repo(private)
        repo.commit("main", {".gitattributes": b"*.safetensors filter=lfs\n", **(files or {})}, "initial")
        return repo

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        for verb, pattern, act in self._routes():
            found = re.fullmatch(pattern, path)
            if method == verb and found:
                return act(body, *map(unquote, found.groups()))
        return 404, {"error": "Not Found"}, {}

    def _routes(self) -> list[tuple[str, str, Callable[..., Answer]]]:
        repo = "([^/]+/[^/]+)"
        return [
            ("GET", f"/api/models/{repo}", self._info),
            ("POST", "/api/repos/create", self._create),
            ("GET", f"/api/models/{repo}/refs", self._refs),
            ("POST", f"/api/models/{repo}/branch/([^/]+)", self._branch),
            ("GET", f"/api/models/{repo}/tree/([^/]+)", self._tree),
            ("POST", "/api/validate-yaml", lambda body: (200, {"warnings": [], "errors": []}, {})),
            ("POST", f"/api/models/{repo}/preupload/([^/]+)", self._preupload),
            ("POST", rf"/{repo}\.git/info/lfs/objects/batch", self._batch),
            ("PUT", "/large/([0-9a-f]{64})", self._put),
            ("POST", "/large/([0-9a-f]{64})/verify", self._verify),
            ("GET", f"/api/models/{repo}/xet-write-token/([^/]+)", self._xet_token),
            ("POST", f"/api/models/{repo}/commit/([^/]+)", self._commit),
            ("GET", f"/api/models/{repo}/revision/([^/]+)", self._revision),
            ("GET", f"/api/(datasets/{repo[1:]}/revision/([^/]+)", self._revision),
            ("GET", f"/api/(datasets/{repo[1:]}/tree/([^/]+)", self._tree),
            ("GET", f"/((?:datasets/)?{repo[1:]}/resolve/([^/]+)/(.+)", self._resolve),
            ("HEAD", f"/((?:datasets/)?{repo[1:]}/resolve/([^/]+)/(.+)", self._resolve),
        ]

    def _found(self, name: str) -> Repo | None:
        return self.repos.get(name)

    def _missing(self) -> Answer:
        return 404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"}

    def _info(self, body: bytes, name: str) -> Answer:
        repo = self._found(name)
        if repo is None:
            return self._missing()
        return 200, {"id": name, "private": repo.private, "sha": repo.branches["main"]}, {}

    def _revision(self, body: bytes, name: str, revision: str) -> Answer:
        repo = self._found(name)
        if repo is None:
            return self._missing()
        commit = repo.branches.get(revision, revision)
        if commit not in repo.commits:
            return 404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"}
        return 200, {"id": name.removeprefix("datasets/"), "private": repo.private, "sha": commit}, {}

    def _resolve(self, body: bytes, name: str, commit: str, path: str) -> Answer:
        content = self.repos[name].commits[commit].get(path)
        if content is None:
            return 404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"}
        return 200, content, {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}

    def _create(self, body: bytes) -> Answer:
        asked = json.loads(body)
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.repos:
            return 409, {"error": "You already created this model repo"}, {}
        self.make(name, asked.get("visibility") == "private")
        return 200, {"url": f"{self.address}/{name}", "name": name}, {}

    def _refs(self, body: bytes, name: str) -> Answer:
        repo = self.repos[name]
        both = [
            [{"name": one, "ref": f"refs/{kind}/{one}", "targetCommit": at} for one, at in refs.items()]
            for kind, refs in (("heads", repo.branches), ("tags", repo.tags))
        ]
        return 200, {"branches": both[0], "tags": both[1], "converts": []}, {}

    def _branch(self, body: bytes, name: str, branch: str) -> Answer:
        repo = self.repos[name]
        repo.branches[branch] = repo.branches["main"]
        return 200, {}, {}

    def _tree(self, body: bytes, name: str, commit: str) -> Answer:
        entries = []
        for path, content in self.repos[name].commits[commit].items():
            entry: dict[str, Any] = {
                "type": "file",
                "path": path,
                "size": len(content),
                "oid": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
            }
            if path.endswith(LARGE):
                oid = hashlib.sha256(content).hexdigest()
                entry["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 134}
            entries.append(entry)
        return 200, entries, {}

    def _preupload(self, body: bytes, name: str, branch: str) -> Answer:
        asked = json.loads(body)["files"]
        modes = [
            {
                "path": one["path"],
                "uploadMode": "lfs" if one["path"].endswith(LARGE) else "regular",
                "shouldIgnore": one["path"] in self.ignored,
                "oid": None,
            }
            for one in asked
        ]
        return 200, {"files": modes}, {}

    def _batch(self, body: bytes, name: str) -> Answer:
        objects = []
        for one in json.loads(body)["objects"]:
            entry = {"oid": one["oid"], "size": one["size"]}
            if one["oid"] not in self.large:
                href = f"{self.address}/large/{one['oid']}"
                entry["actions"] = {"upload": {"href": href}, "verify": {"href": f"{href}/verify"}}
            objects.append(entry)
        return 200, {"transfer": "basic", "objects": objects}, {}

    def _put(self, body: bytes, oid: str) -> Answer:
        if hashlib.sha256(body).hexdigest() != oid:
            return 400, {"error": "The bytes are others than their digest says"}, {}
        self.large[oid] = body
        return 200, {}, {}

    def _verify(self, body: bytes, oid: str) -> Answer:
        asked = json.loads(body)
        whole = len(self.large.get(oid, b"")) == asked["size"]
        return (200, {}, {}) if whole else (422, {"error": "It is not there"}, {})

    def _xet_token(self, body: bytes, name: str, branch: str) -> Answer:
        address, ends = f"local://{self.storage}", "9999999999"
        headers = {
            "X-Xet-Cas-Url": address,
            "X-Xet-Access-Token": "xet",
            "X-Xet-Token-Expiration": ends,
        }
        return 200, {"casUrl": address, "accessToken": "xet", "exp": int(ends)}, headers

    def _large(self, oid: str) -> bytes:
        """The file of this sha256, put together from its pieces where it came by Xet."""
        if self.storage is None:
            return self.large[oid]
        import hf_xet

        file = self.storage.parent / oid
        digest, size = self.by_xet[oid]
        asked = hf_xet.PyXetDownloadInfo(str(file), digest, size)
        hf_xet.download_files([asked], f"local://{self.storage}", ("xet", 9999999999), None, None)
        return file.read_bytes()

    def _commit(self, body: bytes, name: str, branch: str) -> Answer:
        repo = self.repos[name]
        files, message = dict(repo.files(branch)), ""
        for line in body.splitlines():
            item = json.loads(line)
            value = item["value"]
            match item["key"]:
                case "header":
                    message = value["summary"]
                    if value.get("parentCommit", repo.branches[branch]) != repo.branches[branch]:
                        changed = "A commit has happened since. Please refresh and try again."
                        return 412, {"error": changed}, {}
                case "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                case "lfsFile":
                    files[value["path"]] = self._large(value["oid"])
                case "deletedFile":
                    del files[value["path"]]
                case key:
                    return 400, {"error": f"There is no {key}"}, {}
        number = repo.commit(branch, files, message)
        return 200, {"commitUrl": f"{self.address}/{name}/commit/{number}", "commitOid": number}, {}


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            return

        def _serve(self) -> None:
            path = urlsplit(self.path).path
            hub.requests.append(f"{self.command} {path}")
            body = self._body()
            hub.before(self.command, path)
            refused = hub.refuse(self.command, path)
            # As the hub has it: what was uploaded goes to addresses that need no token.
            known = self.headers.get("Authorization") == f"Bearer {TOKEN}" or self.command == "PUT"
            content: Any
            if refused is not None:
                status, content, headers = refused, {"error": f"Refused with {refused}"}, {}
            elif not known:
                invalid = "Invalid credentials in Authorization header"
                status, content, headers = 401, {"error": invalid}, {"X-Error-Message": invalid}
            else:
                status, content, headers = hub.answer(self.command, path, body)
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Type": "application/json"}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        do_GET = do_HEAD = do_POST = do_PUT = _serve  # noqa: N815 - names that the library calls

    return Handler


@contextmanager
def serving() -> Iterator[Hub]:
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _hang(method: str, path: str) -> None:
    if method == "PUT" or "/resolve/" in path:
        print("hangs", flush=True)
        threading.Event().wait()


def main() -> None:
    with serving() as hub:
        if "--hang" in sys.argv:
            hub.before = _hang
        if "--dataset" in sys.argv:
            name, file = sys.argv[sys.argv.index("--dataset") + 1 :][:2]
            hub.make(f"datasets/{name}", files={Path(file).name: Path(file).read_bytes()})
        print(hub.address, flush=True)
        sys.stdin.read()
        for name, repo in hub.repos.items():
            for branch in repo.branches:
                for path, content in repo.files(branch).items():
                    target = Path(sys.argv[1], name, branch, path)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)


if __name__ == "__main__":
    main()
