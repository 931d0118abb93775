"""What a long computation sees of the call it serves: a way to stop and a way to report."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

from depthkit_worker.errors import DepthkitError

T = TypeVar("T")
GLANCE = 0.05
"""Seconds between two looks at a job whose work cannot look itself."""


class Job(Protocol):
    """Handed to every computation that can take longer than a blink."""

    def check(self) -> None:
        """Raise `DepthkitError("CANCELLED")` where the caller has given up. Call it between steps of
        at most 100 ms, so that a cancel is obeyed at once."""

    def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
        """Say how far the work is: `done` of `total` (None: unknown) in `unit`. Cheap: the server
        merges reports that come faster than the client wants them."""


class Unattended:
    """A job nobody watches: for tests and for calls from inside Python."""

    def check(self) -> None:
        return

    def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
        return


def cancelled() -> DepthkitError:
    return DepthkitError("CANCELLED", "The call was cancelled.")


def attended(job: Job, work: Callable[[], T]) -> T:
    """What `work` gives, where it takes seconds and knows no job, such as the import of a large library. It
    runs in a thread of its own; a cancel leaves it behind there, so it must change nothing that others
    see."""
    results: list[T] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run, name="attended", daemon=True)
    thread.start()
    while thread.is_alive():
        job.check()
        thread.join(GLANCE)
    if failures:
        raise failures[0]
    return results[0]
