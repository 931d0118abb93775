"""What is left of a Ray of this machine alone when its worker has ended, in whatever way."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

PATIENCE = 10.0
PAUSE = 0.1


def sweep(folder: Path) -> None:
    """End the processes that have files in `folder` open, or name it, and remove it. Some of Ray's look
    whether their parent lives only now and then, or not at all."""
    deadline = time.monotonic() + PATIENCE
    while _end_processes_of(folder) and time.monotonic() < deadline:
        time.sleep(PAUSE)
    shutil.rmtree(folder, ignore_errors=True)


def _end_processes_of(folder: Path) -> int:
    """How many there were."""
    import os

    import psutil

    found = 0
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            names = [*process.cmdline(), *(file.path for file in process.open_files())]
            if any(str(folder) in name for name in names):
                process.kill()
                found += 1
        except psutil.Error:
            continue  # ended meanwhile, or another user's
    return found
