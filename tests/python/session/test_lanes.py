"""Threads that run calls: who waits for whom, and what is said of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from depthkit_worker.errors import DepthkitError
from depthkit_worker.server.lanes import Lane, Waiting
from depthkit_worker.session.call import Buffer, Call
from depthkit_worker.session.session import LaneState


class Heard(list[Any]):
    """What a call sent, decoded."""

    def send(self, frames: Sequence[Buffer]) -> None:
        self.append(msgspec.msgpack.decode(frames[1]))

    @property
    def places(self) -> list[tuple[int, int]]:
        told = [message["p"] for message in self]
        return [(one["done"], one["total"]) for one in told if one["phase"] == "queued"]


class Gate:
    """A lane whose calls end one by one, as they are let through."""

    def __init__(self) -> None:
        self.state = LaneState()
        self.ran: list[int] = []
        self._may_end = threading.Semaphore(0)
        self._begun = threading.Semaphore(0)
        self.lane = Lane("test", self.state, self._run)
        self.lane.start()

    def _run(self, waiting: Waiting) -> None:
        self._begun.release()
        self._may_end.acquire()
        self.ran.append(waiting.call.id)
        waiting.finished = True

    def submit(self, number: int, heard: Heard) -> Call:
        call = Call(b"test", number, "worker.sleep", [], heard.send)
        self.lane.submit(call, msgspec.Raw(), 0)
        return call

    def wait_for_begin(self) -> None:
        self._begun.acquire()

    def let_through(self) -> None:
        self._may_end.release()


def test_a_call_that_waits_hears_its_place_once_each_time_that_it_moves() -> None:
    gate, heard = Gate(), [Heard() for _ in range(4)]
    gate.submit(0, heard[0])
    gate.wait_for_begin()
    calls = [gate.submit(number, heard[number]) for number in (1, 2, 3)]
    for _ in range(2):
        gate.lane.tell_places(heard[3].send)
    # All of them were told through the one sender that is given.
    assert heard[3].places == [(0, 1), (0, 2), (0, 3)]
    assert gate.state.waiting == 3
    assert gate.lane.drop(calls[0])
    assert not gate.lane.drop(calls[0])
    gate.lane.tell_places(heard[3].send)
    assert heard[3].places[3:] == [(1, 2), (1, 3)]
    for _ in (2, 3):
        gate.let_through()
        gate.wait_for_begin()
    assert gate.ran == [0, 2]
    assert heard[2].places == [(2, 2)]  # it begins
    gate.let_through()


def test_what_gives_back_waits_for_what_came_before_it_or_until_it_is_cancelled() -> None:
    gate = Gate()
    gate.submit(1, Heard())
    gate.submit(2, Heard())
    gate.wait_for_begin()
    unload = Call(b"test", 9, "model.unload", [], Heard().send)
    over: list[list[int]] = []

    def wait() -> None:
        gate.lane.wait_for(2, unload)
        over.append(list(gate.ran))

    waiter = threading.Thread(target=wait)
    waiter.start()
    gate.let_through()
    gate.wait_for_begin()
    assert over == []
    gate.let_through()
    waiter.join()
    assert over == [[1, 2]]
    gate.submit(3, Heard())
    gate.wait_for_begin()
    unload.cancel()
    with pytest.raises(DepthkitError) as stopped:
        gate.lane.wait_for(3, unload)
    assert stopped.value.code == "CANCELLED"
    gate.let_through()


def test_nothing_runs_while_a_lane_is_paused_and_the_first_that_waits_says_so() -> None:
    gate, heard = Gate(), Heard()
    alone = Call(b"test", 9, "profiling.profile", [], Heard().send)
    with gate.lane.paused(alone):
        gate.submit(1, heard)
        gate.lane.tell_places(heard.send)
        assert (gate.state.running, gate.state.waiting) == (None, 1)
        assert heard.places == [(0, 1)]
    gate.wait_for_begin()
    gate.let_through()
