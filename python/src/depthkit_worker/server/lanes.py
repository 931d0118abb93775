"""The threads that run calls: one owns the device, one reads and tokenises beside it."""

from __future__ import annotations

import gc
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import msgspec

from depthkit_worker.contract.wire import METHODS
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.away import Away
from depthkit_worker.session.call import Call, Send
from depthkit_worker.session.handlers import Handler, Handlers
from depthkit_worker.session.job import GLANCE
from depthkit_worker.session.session import LaneState, Session

FAREWELL = "farewell"
"""In the place of a method: no call, but the end of what was held."""


@dataclass
class Waiting:
    call: Call
    params: msgspec.Raw
    number: int
    """Of the calls of this lane, from 1."""
    after: int
    """The last call of the other lane that must be finished before."""
    ahead: int
    """Calls in front of it when it came."""
    told: int | None = None
    """How many of these are done, by what was said last."""
    finished: bool = False
    """Nobody waits for it any more: its answer is on its way."""


class Lane(threading.Thread):
    """Runs calls one after the other, and knows who waits for what."""

    def __init__(self, name: str, state: LaneState, run: Callable[[Waiting], None]) -> None:
        super().__init__(name=name, daemon=True)
        self._state = state
        self._run = run
        self._waiting: deque[Waiting] = deque()
        self._current: Waiting | None = None
        self._last = 0
        self._paused = False
        self._changed = threading.Condition()

    @property
    def last(self) -> int:
        """The number of the call that came last."""
        return self._last

    @property
    def idle(self) -> bool:
        return self._current is None

    @property
    def crowded(self) -> bool:
        return bool(self._waiting)

    @property
    def _busy(self) -> bool:
        return self._paused or (self._current is not None and not self._current.finished)

    def submit(self, call: Call, params: msgspec.Raw, after: int) -> None:
        with self._changed:
            self._last += 1
            ahead = len(self._waiting) + self._busy
            self._waiting.append(Waiting(call, params, self._last, after, ahead))
            self._note()

    def drop(self, call: Call) -> bool:
        """Take a call that waits out of the queue; False where it does not wait."""
        with self._changed:
            found = next((waiting for waiting in self._waiting if waiting.call is call), None)
            if found is not None:
                self._waiting.remove(found)
                self._note()
            return found is not None

    def tell_places(self, send: Send) -> None:
        """Tell those that wait how many of the calls ahead of them are done, where that has changed."""
        with self._changed:
            for place, waiting in enumerate(self._waiting):
                done = max(0, waiting.ahead - place - self._busy)
                if done != waiting.told and done < waiting.ahead:
                    waiting.told = done
                    waiting.call.tell_place(done, waiting.ahead, send)

    def wait_for(self, number: int, call: Call) -> None:
        """Wait until the calls up to this one are finished, as long as `call` is wanted."""

        def finished() -> bool:
            there = [*self._waiting, *([] if self._current is None else [self._current])]
            return all(one.number > number for one in there)

        with self._changed:
            while not self._changed.wait_for(finished, GLANCE):
                call.check()

    @contextmanager
    def paused(self, call: Call) -> Iterator[None]:
        """Inside, no call of this lane runs."""
        with self._changed:
            self._paused = True
        try:
            with self._changed:
                while not self._changed.wait_for(lambda: self._current is None, GLANCE):
                    call.check()
            yield
        finally:
            with self._changed:
                self._paused = False
                self._changed.notify_all()

    def run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting and not self._paused)
                self._current = waiting = self._waiting.popleft()
                self._note()
            try:
                if waiting.told is not None:
                    waiting.call.tell_place(waiting.ahead, waiting.ahead)
                self._run(waiting)
            finally:
                with self._changed:
                    self._current = None
                    self._note()

    def _note(self) -> None:
        self._state.waiting = len(self._waiting)
        self._state.running = None if self._current is None else self._current.call.method
        self._changed.notify_all()


class Lanes:
    """`compute` owns the device and the models' parameters; `light` runs the calls that touch neither, so
    that they do not wait behind a long computation. `done` is told of every call that was answered."""

    def __init__(self, handlers: Handlers, session: Session, done: Callable[[Call], None]) -> None:
        self._table = handlers
        self._session = session
        self._done = done
        self._handlers: dict[str, Handler] = {method: handlers.resolve(method) for method in handlers.early}
        self._import_error: BaseException | None = None
        self._imported = threading.Event()
        self._compute = Lane("compute", session.compute, self._run)
        self._light = Lane("light", session.light, self._run)
        self._lanes = (self._compute, self._light)

    def start(self) -> None:
        """Safe to call twice."""
        if not self._compute.is_alive():
            threading.Thread(target=self._import_handlers, name="imports", daemon=True).start()
            for lane in self._lanes:
                lane.start()

    def submit(self, call: Call, params: msgspec.Raw) -> None:
        lane = self.lane_of(call.method)
        # What is given back may be needed by what was asked before.
        after = self._light.last if call.method in self._table.unloads else 0
        lane.submit(call, params, after)

    def forget_everything(self) -> None:
        """Let go of what the session holds, when the calls before have ended."""
        farewell = Call(b"", 0, FAREWELL, [], lambda _: None)
        self._compute.submit(farewell, msgspec.Raw(), self._light.last)

    def lane_of(self, method: str) -> Lane:
        return self._light if method in self._table.light else self._compute

    @property
    def idle(self) -> bool:
        return all(lane.idle for lane in self._lanes) and self._session.away.count == 0

    @property
    def crowded(self) -> bool:
        """Whether calls wait, which want to know their places."""
        return any(lane.crowded for lane in self._lanes)

    def tell_places(self, send: Send) -> None:
        for lane in self._lanes:
            lane.tell_places(send)

    def _run(self, waiting: Waiting) -> None:
        call = waiting.call
        if call.method == FAREWELL:
            self._light.wait_for(waiting.after, call)
            self._session.away.wait(call.check)
            if self._import_error is None:  # else nothing was ever held
                self._table.forget_everything()(self._session)
            return
        try:
            call.check()
            result = self._result(waiting)
            waiting.finished = True
            if isinstance(result, Away):
                self._session.away.begin(call, result, self._done)
                return
            call.answer(result)
        except BaseException as error:
            waiting.finished = True
            call.fail(error)
        self._done(call)

    def _result(self, waiting: Waiting) -> msgspec.Struct | Away:
        call = waiting.call
        if call.method not in self._table.early:
            self._wait_for_imports(call)
        if waiting.after > 0:
            self._light.wait_for(waiting.after, call)
        typed = msgspec.msgpack.decode(waiting.params, type=METHODS[call.method][0])
        alone = call.method in self._table.alone
        if alone:
            self._session.away.wait(call.check)  # others may share this machine
        with self._light.paused(call) if alone else nullcontext():
            result: msgspec.Struct | Away = self._handlers[call.method](self._session, typed, call)
        return result

    def _wait_for_imports(self, call: Call) -> None:
        while not self._imported.wait(GLANCE):
            call.check()
        if self._import_error is not None:
            raise self._import_error

    def _import_handlers(self) -> None:
        """The heavy imports. Where one fails the worker lives on, to say so to every call."""
        # They make a million objects that stay: to look through them for garbage as they come takes a fifth
        # of the time, and to do so at each later collection 0.2 s.
        gc.disable()
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
        except BaseException as error:
            self._import_error = error
        finally:
            gc.freeze()
            gc.enable()
            self._imported.set()
