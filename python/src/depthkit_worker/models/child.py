"""Work in a process of its own, so that cancelling can end it at once and its memory goes back.

The child writes one JSON object per line to its standard output: `{"phase", "done", "total", "unit"}`
as it gets on, then `{"result": ...}`, or `{"error": {"code", "message", "details"}}`. Its standard
input is a pipe nobody writes to: when it closes, the parent is gone and the child ends too.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

from depthkit_worker.disk_full import disk_full
from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.out_of_memory import is_out_of_memory
from depthkit_worker.session.job import Job

POLL_SECONDS = 0.05
FLAGS = ("-P", "-X", "utf8")
"""As the worker itself is started: the caller's folder is no place for modules, and all text is UTF-8."""
KILLED = 9
"""The signal that no process survives; nobody but the system sends it to one that is not given up."""


def run_child(
    module: str,
    arguments: Sequence[str],
    job: Job,
    clean_up: Callable[[int], object] = lambda _process: None,
    python: Path | None = None,
) -> Any:
    """Run `python -m module arguments` and return its result. `clean_up` gets the number of a child
    that did not finish. `python`: that of another environment, which has packages of its own."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        child = subprocess.Popen(
            [str(python or sys.executable), *FLAGS, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
            env=_environment(own=python is None),
        )
        finished = False
        try:
            assert child.stdout is not None
            messages: queue.SimpleQueue[str | None] = queue.SimpleQueue()
            threading.Thread(target=_forward, args=(child.stdout, messages), daemon=True).start()
            result = _follow(messages, job)
            finished = True
        finally:
            if not finished:
                child.kill()
            child.wait()
            assert child.stdin is not None
            child.stdin.close()
            if not finished:
                clean_up(child.pid)
        if result is None:
            clean_up(child.pid)
            log.seek(0)
            if child.returncode == -KILLED:
                raise DepthkitError(
                    "OUT_OF_MEMORY",
                    f"The system killed {module}, as it does where memory runs out. Free some, or use a "
                    f"smaller model.",
                )
            raise DepthkitError(
                "INTERNAL",
                f"{module} ended with status {child.returncode} and no result. {log.read()[-2000:]}",
                status=child.returncode,
            )
        return result


def _follow(messages: queue.SimpleQueue[str | None], job: Job) -> Any:
    while True:
        job.check()
        try:
            line = messages.get(timeout=POLL_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            return None
        message = json.loads(line)
        if "error" in message:
            error = message["error"]
            raise DepthkitError(error["code"], error["message"], **error["details"])
        if "result" in message:
            return message["result"]
        job.report(message["phase"], message["done"], message["total"], message["unit"])


def _forward(stream: IO[str], messages: queue.SimpleQueue[str | None]) -> None:
    with stream:
        for line in stream:
            messages.put(line)
    messages.put(None)


def _environment(own: bool) -> dict[str, str]:
    source = str(Path(__file__).parents[2])
    if not own:
        # Packages that were put before this environment's would be before the other's as well.
        return {**os.environ, "PYTHONPATH": source, "PYTHONHOME": "", "PYTHONNOUSERSITE": "1"}
    inherited = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": source if not inherited else source + os.pathsep + inherited}


class ChildJob:
    """The child's side: reports go to standard output; a cancel is the parent's kill."""

    def __init__(self) -> None:
        # Libraries print as they like: keep the real output to ourselves and send theirs to the log.
        self._output = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)

    def check(self) -> None:
        return

    def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
        self.send({"phase": phase, "done": done, "total": total, "unit": unit})

    def send(self, message: dict[str, Any]) -> None:
        self._output.write(json.dumps(message) + "\n")


def child_main(work: Callable[[ChildJob], Any], stop_with_parent: bool) -> int:
    """Run `work` as the child of `run_child`, or with `stop_with_parent` off, by hand."""
    job = ChildJob()
    if stop_with_parent:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        job.send({"result": work(job)})
    except DepthkitError as error:
        job.send({"error": {"code": error.code, "message": error.message, "details": error.details}})
        return 1
    except Exception as error:
        traceback.print_exc()
        full = disk_full(error)
        code = "OUT_OF_MEMORY" if is_out_of_memory(error) else "INTERNAL" if full is None else "DISK_FULL"
        message = (
            f"{type(error).__name__}: {error}"
            if full is None
            else f"Writing a file failed: {full} ({error})."
        )
        job.send({"error": {"code": code, "message": message, "details": {}}})
        return 1
    return 0


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)
