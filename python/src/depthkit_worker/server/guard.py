"""What ends the worker after its parent's death where none of the worker's own threads can: stopped, or with
some C code that keeps Python's lock."""

from __future__ import annotations

import os
import select
import signal
import time
from pathlib import Path

GLANCE = 5.0
"""Seconds between two looks whether the worker is still there, should its end of the pipe live on in a
child."""


def start_guard(lifeline: int, patience: float, ray_folder: Path | None = None) -> None:
    """Fork a small process that waits with the worker for the end of `lifeline`, a pipe that its parent
    holds, then gives the worker `patience` seconds to end by itself. To be called before there are threads,
    and large imports. It also ends what is left of a Ray whose files are in `ray_folder`."""
    theirs, ours = os.pipe()  # `ours` is never closed: its end is that of the worker
    worker = os.getpid()
    if os.fork() != 0:
        os.close(theirs)
        return
    os.close(ours)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    while os.getppid() == worker:
        ready, _, _ = select.select([lifeline, theirs], [], [], GLANCE)
        if theirs in ready:
            break
        if lifeline in ready and not os.read(lifeline, 4096):
            _end(worker, patience)
            break
    if ray_folder is not None:
        from depthkit_worker.cluster.leftovers import sweep

        sweep(ray_folder)
    os._exit(0)


def _end(worker: int, patience: float) -> None:
    deadline = time.monotonic() + patience
    while os.getppid() == worker and time.monotonic() < deadline:
        time.sleep(0.05)
    # As long as it is the parent, its number cannot be another process's.
    if os.getppid() == worker:
        os.kill(worker, signal.SIGKILL)
