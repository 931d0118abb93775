"""What a long computation sees of the call it serves: a way to stop and a way to report."""

from __future__ import annotations

from typing import Protocol

from depthkit_worker.errors import DepthkitError


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
