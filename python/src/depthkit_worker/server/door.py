"""Where the worker listens for the one client that started it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import zmq

PATH_LIMIT = 100
"""Bytes a socket's path may have: 104 with its end on macOS, 108 on Linux."""


class Door:
    """A socket in a folder that only this user may enter, so that nobody else on the machine can send the
    worker anything at all; where the system has none, a port of the loopback interface."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._folder: Path | None = None
        if os.name == "posix":
            self._folder = _private_folder()
            self.endpoint = f"ipc://{self._folder / 'worker'}"
            socket.bind(self.endpoint)
        else:
            port = socket.bind_to_random_port("tcp://127.0.0.1")
            self.endpoint = f"tcp://127.0.0.1:{port}"

    def shut(self) -> None:
        """Nobody else can connect from now on; who has, stays. Nothing is left to be cleaned up at a sudden
        end."""
        folder, self._folder = self._folder, None
        if folder is not None:
            (folder / "worker").unlink(missing_ok=True)
            folder.rmdir()


def _private_folder() -> Path:
    """A new folder with mode 0700 in the first place that exists and whose path is short enough for a
    socket."""
    places = [os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"]
    faults = []
    for place in places:
        if place == "" or len(os.fsencode(place)) > PATH_LIMIT - len("/depthkit-12345678/worker"):
            continue
        try:
            return Path(tempfile.mkdtemp(prefix="depthkit-", dir=place))
        except OSError as error:
            faults.append(f"{place}: {error.strerror}")
    raise SystemExit(
        "The worker found no folder for its socket: "
        + "; ".join(faults)
        + ". Set TMPDIR to a folder that can be written and whose path has at most 70 bytes."
    )
