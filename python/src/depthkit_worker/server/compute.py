"""The compute thread: owns the device, runs one call after the other."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

import msgspec

from depthkit_worker.contract.wire import METHODS
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.call import Call
from depthkit_worker.session.handlers import Handler, Handlers
from depthkit_worker.session.session import Session


class Compute(threading.Thread):
    """Runs the calls put in its queue. `done` is told of every call that was answered."""

    def __init__(self, handlers: Handlers, session: Session, done: Callable[[Call], None]) -> None:
        super().__init__(name="compute", daemon=True)
        self._table = handlers
        self._session = session
        self._done = done
        self._queue: queue.SimpleQueue[tuple[Call, msgspec.Raw] | None] = queue.SimpleQueue()
        self._handlers: dict[str, Handler] = {}
        self._import_error: BaseException | None = None

    def submit(self, call: Call, params: msgspec.Raw) -> None:
        self._queue.put((call, params))

    def forget_everything(self) -> None:
        """Let go of what the session holds, when the calls before have ended."""
        self._queue.put(None)

    def run(self) -> None:
        self._import_handlers()
        while True:
            self._session.queued = self._queue.qsize()
            work = self._queue.get()
            if work is None:
                self._forget_everything()
                continue
            call, params = work
            self._session.running = call.method
            try:
                call.check()
                call.answer(self._run(call, params))
            except BaseException as error:
                call.fail(error)
            finally:
                self._session.running = None
                self._done(call)

    def _forget_everything(self) -> None:
        if self._import_error is None:  # else nothing was ever held
            self._table.forget_everything()(self._session)

    def _import_handlers(self) -> None:
        """The heavy imports. Where one fails the worker lives on, to say so to every call."""
        try:
            self._handlers = {method: self._table.resolve(method) for method in METHODS}
            self._session.ready = True
        except ModuleNotFoundError as error:
            self._import_error = DepthkitError(
                "MODULE_MISSING",
                f"The worker's Python has no module {error.name}. "
                "Run: npx depthkit setup; or, with DEPTHKIT_PYTHON, install it there with pip.",
                module=str(error.name),
            )
        except Exception as error:
            self._import_error = error

    def _run(self, call: Call, params: msgspec.Raw) -> msgspec.Struct:
        if self._import_error is not None:
            raise self._import_error
        typed = msgspec.msgpack.decode(params, type=METHODS[call.method][0])
        result: msgspec.Struct = self._handlers[call.method](self._session, typed, call)
        return result
