"""Calls whose work others do: the lane goes on, and what needs their end waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import msgspec
import pytest

from depthkit_worker.contract.wire import WorkerSleepResult
from depthkit_worker.errors import DepthkitError
from depthkit_worker.server.lanes import Lanes
from depthkit_worker.session.away import Away, AwayCalls
from depthkit_worker.session.call import Call
from depthkit_worker.session.job import cancelled
from depthkit_worker.session.session import Registry, Session


class Answers:
    """What calls sent, by the type of the message."""

    def __init__(self) -> None:
        self._sent: SimpleQueue[Any] = SimpleQueue()

    def call(self, number: int, method: str = "worker.sleep") -> Call:
        return Call(b"test", number, method, [], lambda frames: self._sent.put(bytes(frames[1])))

    def next(self) -> tuple[int, str]:
        """The next one that ends a call."""
        message = msgspec.msgpack.decode(self._sent.get())
        return self.next() if message["t"] == "prog" else (message["id"], message["t"])


class Gate:
    """Work that ends when it is let, and fails where it is told to."""

    def __init__(self, fails: bool = False) -> None:
        self.open = threading.Event()
        self._fails = fails

    def work(self) -> WorkerSleepResult:
        self.open.wait()
        if self._fails:
            raise cancelled()
        return WorkerSleepResult(seconds=1)


class Table:
    """Handlers of two methods: one that goes away at once, and one that does not."""

    def __init__(self, away: Away) -> None:
        self.light: frozenset[str] = frozenset()
        self.early = frozenset({"worker.sleep", "worker.checkTarget"})
        self.unloads: frozenset[str] = frozenset()
        self.alone = frozenset({"worker.checkTarget"})
        self._away = away

    def resolve(self, method: str) -> Callable[..., object]:
        if method == "worker.sleep":
            return lambda session, params, call: self._away
        return lambda session, params, call: WorkerSleepResult(seconds=0)


def test_the_lane_goes_on_while_a_call_is_away() -> None:
    gate, answers, done = Gate(), Answers(), SimpleQueue[int]()
    session = Session()
    table: Any = Table(Away("model-1", gate.work))
    lanes = Lanes(table, session, lambda call: done.put(call.id))
    lanes.start()
    sleep = msgspec.Raw(msgspec.msgpack.encode({"seconds": 1}))
    for number in (1, 2):
        lanes.submit(answers.call(number), sleep)
    while session.away.count < 2:
        pass
    assert not lanes.idle
    # One that times things waits for both.
    target = msgspec.Raw(msgspec.msgpack.encode({"target": "out", "kind": "export"}))
    lanes.submit(answers.call(3, "worker.checkTarget"), target)
    gate.open.set()
    assert {answers.next(), answers.next()} == {(1, "res"), (2, "res")}
    assert answers.next() == (3, "res")
    assert {done.get() for _ in range(3)} == {1, 2, 3}
    assert session.away.count == 0


def test_who_needs_a_model_gone_waits_for_its_calls_alone() -> None:
    away, answers, mine, others = AwayCalls(), Answers(), Gate(fails=True), Gate()
    done = SimpleQueue[int]()
    for number, model, gate in ((1, "model-1", mine), (2, "model-2", others)):
        away.begin(answers.call(number), Away(model, gate.work), lambda call: done.put(call.id))
    looks = 0

    def give_up() -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise cancelled()

    with pytest.raises(DepthkitError, match="cancelled"):
        away.wait(give_up, "model-1")
    assert looks == 2
    mine.open.set()
    away.wait(lambda: None, "model-1")
    assert answers.next() == (1, "err") and done.get() == 1
    assert away.count == 1
    others.open.set()
    away.wait(lambda: None)
    assert answers.next() == (2, "res") and away.count == 0


def test_two_threads_never_get_one_handle() -> None:
    registry: Registry[int] = Registry("repair", "test")
    handles: list[str] = []

    def add() -> None:
        handles.extend(registry.add(number, owner="model-1") for number in range(2000))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(handles)) == len(registry) == 8000
    registry.drop_of("model-1")
    assert len(registry) == 0
