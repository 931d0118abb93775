"""The I/O thread: always answers, whatever the threads that run calls are at."""

from __future__ import annotations

import hmac
import os
import platform
import time
from collections.abc import Sequence

import msgspec
import zmq

from depthkit_worker.contract.envelope import (
    HELLO_BYTES,
    PROTOCOL_VERSION,
    Hello,
    Request,
    decode_hello,
    decode_request,
    pack,
)
from depthkit_worker.contract.frames import read_frames
from depthkit_worker.contract.wire import CONTRACT_DIGEST, METHODS
from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.process import machine_bytes
from depthkit_worker.server.door import Door
from depthkit_worker.server.lanes import Lane, Lanes
from depthkit_worker.session.call import Buffer, Call, Send
from depthkit_worker.session.handlers import Handlers
from depthkit_worker.session.job import cancelled
from depthkit_worker.session.session import Session

HEARTBEAT_INTERVAL = 1.0
"""Seconds between two signs of life. The client gives up after many missed ones."""

PLACES_INTERVAL = 0.1
"""Seconds between two looks at who waits behind whom."""

COPY_BELOW = 65_536
"""Bytes under which libzmq's copy is cheaper than keeping the buffer alive for it."""


class Server:
    """Binds a ROUTER socket for this user alone and serves the client that knows the token."""

    def __init__(self, token: str, handlers: Handlers) -> None:
        self._token = token.encode()
        self._context = zmq.Context()
        self._router = self._context.socket(zmq.ROUTER)
        # Results are never dropped: a ROUTER at its high-water mark would do that without a word.
        self._router.setsockopt(zmq.SNDHWM, 0)
        self._router.setsockopt(zmq.RCVHWM, 0)
        self._router.setsockopt(zmq.LINGER, 0)
        # Where a larger frame is announced, libzmq ends the connection before it makes room for it.
        self._largest_frame = machine_bytes() // 2
        self._router.setsockopt(zmq.MAXMSGSIZE, self._largest_frame)
        self._door = Door(self._router)
        self.endpoint = self._door.endpoint
        self._outbox = self._context.socket(zmq.PULL)
        self._outbox.setsockopt(zmq.RCVHWM, 0)
        self._outbox.bind("inproc://outbox")
        self._session = Session()
        self._inline = {method: handlers.resolve(method) for method in handlers.inline}
        self._clients: set[bytes] = set()
        self._calls: dict[tuple[bytes, int], Call] = {}
        self._lanes = Lanes(handlers, self._session, self._forget)
        self._inboxes: dict[Lane, zmq.Socket[bytes]] = {}

    def run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._outbox, zmq.POLLIN)
        next_beat = time.monotonic() + HEARTBEAT_INTERVAL
        while True:
            wait = max(0.0, next_beat - time.monotonic())
            if self._lanes.crowded:
                wait = min(wait, PLACES_INTERVAL)
            ready = dict(poller.poll(int(wait * 1000)))
            if self._outbox in ready:
                self._send(self._outbox.recv_multipart(copy=False))
            if self._router in ready:
                self._receive()
            self._lanes.tell_places(self._send)
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + HEARTBEAT_INTERVAL
                for client in self._clients:
                    self._send([client, pack("beat", 0, p={"seconds": time.monotonic()})])

    def stop(self, patience: float) -> None:
        """Cancel every call and wait up to `patience` seconds until none runs, so that
        temporary folders are gone before the process is."""
        for call in list(self._calls.values()):
            call.cancel()
        deadline = time.monotonic() + patience
        while not self._lanes.idle and time.monotonic() < deadline:
            time.sleep(0.005)

        self._door.shut()

    def _forget(self, call: Call) -> None:
        self._calls.pop((call.client, call.id), None)

    def _send(self, frames: Sequence[Buffer | zmq.Frame]) -> None:
        for index, frame in enumerate(frames):
            more = zmq.SNDMORE if index < len(frames) - 1 else 0
            size = len(frame)
            self._router.send(frame, more, copy=size < COPY_BELOW)

    def _receive(self) -> None:
        frames = self._router.recv_multipart(copy=False)
        client = frames[0].bytes
        try:
            if client not in self._clients:
                self._meet(client, frames[1:])
                return
            request = decode_request(frames[1].buffer)
        except Exception:
            return  # not one of ours, whatever it made the decoder raise: nobody to answer
        if request.t == "cancel":
            call = self._calls.get((client, request.id))
            if call is not None:
                call.cancel()
                if self._lanes.lane_of(call.method).drop(call):
                    self._forget(call)
                    Call(client, call.id, call.method, [], self._send).fail(cancelled())
        elif request.t == "req":
            self._start(client, request, [frame.buffer for frame in frames[2:]])

    def _meet(self, client: bytes, frames: Sequence[zmq.Frame]) -> None:
        """A peer that has not said hello: of what it sends, only something of a hello's size is looked at."""
        if len(frames) == 1 and len(frames[0]) <= HELLO_BYTES:
            message = decode_hello(frames[0].buffer)
            if message.t == "hello" and hmac.compare_digest(message.p.token.encode(), self._token):
                self._welcome(client, message.id, message.p)

    def _welcome(self, client: bytes, call_id: int, hello: Hello) -> None:
        if (hello.protocol, hello.contract) != (PROTOCOL_VERSION, CONTRACT_DIGEST):
            error = DepthkitError(
                "VERSION_MISMATCH",
                f"The SDK speaks protocol {hello.protocol}, contract {hello.contract[:12]}; this worker "
                f"speaks {PROTOCOL_VERSION}, {CONTRACT_DIGEST[:12]}. Install both from one depthkit release.",
            )
            Call(client, call_id, "hello", [], self._send).fail(error)
            return
        self._clients.add(client)
        self._door.shut()
        facts = {
            "pid": os.getpid(),
            "python": platform.python_version(),
            "largestFrameBytes": self._largest_frame,
        }
        self._send([client, pack("welcome", call_id, p=facts)])
        self._lanes.start()

    def _start(self, client: bytes, request: Request, buffers: list[memoryview]) -> None:
        here = Call(client, request.id, request.m, [], self._send)
        try:
            if request.m not in METHODS:
                raise DepthkitError("PROTOCOL", f'The worker has no method "{request.m}".')
            here.frames = read_frames(request.b, buffers)
            if request.m in self._inline:
                params = msgspec.msgpack.decode(request.p, type=METHODS[request.m][0])
                here.answer(self._inline[request.m](self._session, params, here))
                return
        except Exception as error:
            here.fail(error)
            return
        # From here on the call is its lane's, and so is the socket it answers through.
        call = Call(client, request.id, request.m, here.frames, self._post_of(self._lanes.lane_of(request.m)))
        self._calls[client, request.id] = call
        self._lanes.submit(call, request.p)

    def _post_of(self, lane: Lane) -> Send:
        """What a lane sends through: a socket that it alone uses, after it was made here."""
        inbox = self._inboxes.get(lane)
        if inbox is None:
            inbox = self._inboxes[lane] = self._context.socket(zmq.PUSH)
            inbox.setsockopt(zmq.SNDHWM, 0)
            inbox.connect("inproc://outbox")
        return lambda frames: inbox.send_multipart(frames, copy=False)
