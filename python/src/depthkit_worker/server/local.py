"""The line to the one client that started this worker, on the same machine."""

from __future__ import annotations

import hmac
import time
from collections.abc import Sequence

import zmq

from depthkit_worker.contract.envelope import pack
from depthkit_worker.memory.process import machine_bytes
from depthkit_worker.server.door import Door
from depthkit_worker.server.line import Message, router_of, send_frames
from depthkit_worker.session.call import Buffer


class LocalLine:
    """A ROUTER socket for this user alone, for the client that knows the token."""

    remote = False

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.largest_frame = machine_bytes() // 2
        self._router = router_of(self.context, self.largest_frame)
        self._door = Door(self._router)
        self.endpoint = self._door.endpoint

    def sockets(self) -> Sequence[zmq.Socket[bytes]]:
        return [self._router]

    def receive(self, socket: zmq.Socket[bytes]) -> Message | None:
        client, *frames = socket.recv_multipart(copy=False)
        return Message(client.bytes, frames)

    def admits(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token)

    def welcomed(self) -> None:
        self._door.shut()

    def send(self, client: bytes, frames: Sequence[Buffer | zmq.Frame]) -> None:
        send_frames(self._router, [client, *frames])

    def beat(self, clients: Sequence[bytes]) -> None:
        for client in clients:
            self.send(client, [pack("beat", 0, p={"seconds": time.monotonic()})])

    def ended(self) -> Sequence[bytes]:
        return ()

    def close(self) -> None:
        self._door.shut()
