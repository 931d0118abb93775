"""Starts the worker: `python -m depthkit_worker`, with the client's token in DEPTHKIT_TOKEN; or, for clients
on other machines, with `--listen`.

Prints one JSON line with the endpoint on standard output, then serves until standard input ends: that
is how it learns of its parent's death, however that came about.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from depthkit_worker.server.guard import start_guard

if TYPE_CHECKING:
    from depthkit_worker.server.line import Line

PATIENCE = 2.0
"""Seconds a running call gets to tidy up after the client is gone."""


def main() -> None:
    # Ctrl-C in a terminal reaches the whole process group; the client decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    options = _options()
    token = os.environ.pop("DEPTHKIT_TOKEN", "")
    if not token and options.listen is None:
        sys.exit("The worker is started by the depthkit SDK; DEPTHKIT_TOKEN is not set.")
    # What reads standard input, a prompt of some library, meets its end and does not wait for the parent's.
    lifeline = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    folder = _ray_folder(options.cluster)
    if hasattr(os, "fork"):
        start_guard(lifeline, PATIENCE + 1, folder)
    # torch's threads wait for each other by spinning, and where another program wants the cores too the
    # one that is waited for does not get one: a forward pass then takes ten times as long. Asleep they
    # cost microseconds. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Where Triton keeps the kernels it compiles.
    if "DEPTHKIT_CACHE_FOLDER" in os.environ:
        os.environ.setdefault("TRITON_CACHE_DIR", str(Path(os.environ["DEPTHKIT_CACHE_FOLDER"], "triton")))
    # Libraries print to standard output; the ready line must not be lost among it.
    ready_line = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    from depthkit_worker.handlers.table import HANDLERS
    from depthkit_worker.server.server import Server

    line = _line(token, options)
    cluster = None
    if options.cluster is not None:
        from depthkit_worker.cluster.ray_session import RaySession

        cluster = RaySession(options.cluster, options.actors, folder)
    server = Server(line, HANDLERS, cluster)

    def watch_parent() -> None:
        while os.read(lifeline, 4096):
            pass
        server.stop(PATIENCE)
        if cluster is not None:
            cluster.leave()
        os._exit(0)

    threading.Thread(target=watch_parent, name="parent", daemon=True).start()
    with ready_line:
        ready_line.write(json.dumps({"endpoint": line.endpoint, "pid": os.getpid()}) + "\n")
    server.run()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("depthkit_worker")
    parser.add_argument("--listen", metavar="ENDPOINT")
    parser.add_argument("--keys", metavar="FILE", type=Path)
    parser.add_argument("--keep", metavar="SECONDS", type=float)
    parser.add_argument("--cluster", metavar="ADDRESS")
    parser.add_argument("--actors", metavar="COUNT", type=int)
    return parser.parse_args()


def _ray_folder(cluster: str | None) -> Path | None:
    """Where a Ray that begins and ends with this worker has its files: a short path, as it has sockets."""
    if cluster != "auto":
        return None
    if not hasattr(os, "fork"):
        sys.exit("A Ray of this machine alone is started on Linux and macOS only.")
    return Path(tempfile.mkdtemp(prefix="depthkit-ray-"))


def _line(token: str, options: argparse.Namespace) -> Line:
    if options.listen is not None:
        from depthkit_worker.server.remote import RemoteLine

        return RemoteLine(options.listen, options.keys, options.keep)
    from depthkit_worker.server.local import LocalLine

    return LocalLine(token)


if __name__ == "__main__":
    main()
