"""Calls whose work others do than this worker's device: a thread each waits for it, and the lane goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from depthkit_worker.session.call import Call
from depthkit_worker.session.job import GLANCE


@dataclass(frozen=True)
class Away:
    """What a handler gives in the place of a result."""

    model: str
    """The handle of the model that the work is about."""
    work: Callable[[], msgspec.Struct]
    """Waits for the result. It uses nothing that calls change which run meanwhile."""


class AwayCalls:
    def __init__(self) -> None:
        self._models: dict[Call, str] = {}
        self._changed = threading.Condition()

    @property
    def count(self) -> int:
        return len(self._models)

    def begin(self, call: Call, away: Away, done: Callable[[Call], None]) -> None:
        """`done` is told when it was answered."""
        with self._changed:
            self._models[call] = away.model
        name = f"away {call.method}"
        threading.Thread(target=self._run, args=(call, away.work, done), name=name, daemon=True).start()

    def wait(self, check: Callable[[], None], model: str | None = None) -> None:
        """Until none is away that is about a model; None: about any. `check` may raise to stop waiting."""
        with self._changed:
            while not self._changed.wait_for(lambda: not self._about(model), GLANCE):
                check()

    def _about(self, model: str | None) -> bool:
        return any(model in (None, its_model) for its_model in self._models.values())

    def _run(self, call: Call, work: Callable[[], msgspec.Struct], done: Callable[[Call], None]) -> None:
        try:
            call.answer(work())
        except BaseException as error:
            call.fail(error)
        finally:
            with self._changed:
                del self._models[call]
                self._changed.notify_all()
            done(call)
