"""The way between the worker and whoever it serves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import zmq

from depthkit_worker.session.call import Buffer

COPY_BELOW = 65_536
"""Bytes under which libzmq's copy is cheaper than keeping the buffer alive for it."""


class Message(NamedTuple):
    client: bytes
    """Who sent it, under the name that an answer is addressed to."""
    frames: Sequence[zmq.Frame]


class Line(Protocol):
    """Used by the I/O thread alone."""

    context: zmq.Context[zmq.Socket[bytes]]
    endpoint: str
    remote: bool
    """Whether clients come from other machines."""
    largest_frame: int
    """Bytes. Where a larger frame is announced, libzmq ends the connection before it makes room for it."""

    def sockets(self) -> Sequence[zmq.Socket[bytes]]:
        """Those to wait for."""

    def receive(self, socket: zmq.Socket[bytes]) -> Message | None:
        """What came in on one of them, where it is for the server; never raises."""

    def admits(self, token: str) -> bool:
        """Whether a hello with this token opens the worker."""

    def welcomed(self) -> None:
        """A client was welcomed."""

    def send(self, client: bytes, frames: Sequence[Buffer | zmq.Frame]) -> None:
        """To a client that is gone, nothing."""

    def beat(self, clients: Sequence[bytes]) -> None:
        """Once in a second: a sign of life to those that were welcomed."""

    def ended(self) -> Sequence[bytes]:
        """Clients that are gone for good, told once: what is held for them can go."""

    def close(self) -> None:
        """The worker is about to end."""


def router_of(context: zmq.Context[zmq.Socket[bytes]], largest_frame: int) -> zmq.Socket[bytes]:
    router = context.socket(zmq.ROUTER)
    # Results are never dropped: a ROUTER at its high-water mark would do that without a word.
    router.setsockopt(zmq.SNDHWM, 0)
    router.setsockopt(zmq.RCVHWM, 0)
    router.setsockopt(zmq.LINGER, 0)
    router.setsockopt(zmq.MAXMSGSIZE, largest_frame)
    return router


def send_frames(router: zmq.Socket[bytes], frames: Sequence[Buffer | zmq.Frame]) -> None:
    for index, frame in enumerate(frames):
        more = zmq.SNDMORE if index < len(frames) - 1 else 0
        router.send(frame, more, copy=len(frame) < COPY_BELOW)
