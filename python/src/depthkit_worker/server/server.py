"""The I/O thread: always answers, whatever the threads that run calls are at."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Sequence

import msgspec
import zmq

from depthkit_worker.cluster.ray_session import RaySession
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
from depthkit_worker.server.lanes import Lane, Lanes
from depthkit_worker.server.line import Line, Message
from depthkit_worker.session.call import Buffer, Call, Send
from depthkit_worker.session.handlers import Handlers
from depthkit_worker.session.job import cancelled
from depthkit_worker.session.session import Session

HEARTBEAT_INTERVAL = 1.0
"""Seconds between two signs of life. The client gives up after many missed ones."""

PLACES_INTERVAL = 0.1
"""Seconds between two looks at who waits behind whom."""


class Server:
    """Serves the clients of a line: one that says hello, and is admitted, has its calls answered."""

    def __init__(self, line: Line, handlers: Handlers, ray: RaySession | None = None) -> None:
        self._line = line
        self._outbox = line.context.socket(zmq.PULL)
        self._outbox.setsockopt(zmq.RCVHWM, 0)
        self._outbox.bind("inproc://outbox")
        self._closed = threading.Event()
        self._session = Session(ray, remote=line.remote)
        self._inline = {method: handlers.resolve(method) for method in handlers.inline}
        self._clients: set[bytes] = set()
        self._calls: dict[tuple[bytes, int], Call] = {}
        self._lanes = Lanes(handlers, self._session, self._forget)
        self._posts: dict[Lane, Send] = {}

    def run(self) -> None:
        poller = zmq.Poller()
        for socket in [self._outbox, *self._line.sockets()]:
            poller.register(socket, zmq.POLLIN)
        next_beat = time.monotonic() + HEARTBEAT_INTERVAL
        while True:
            wait = max(0.0, next_beat - time.monotonic())
            if self._lanes.crowded:
                wait = min(wait, PLACES_INTERVAL)
            for socket, _ in poller.poll(int(wait * 1000)):
                if socket is self._outbox:
                    self._send_on(socket.recv_multipart(copy=False))
                else:
                    message = self._line.receive(socket)
                    if message is not None:
                        self._receive(message)
            self._lanes.tell_places(self._answer)
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + HEARTBEAT_INTERVAL
                self._line.beat(list(self._clients))
            for client in self._line.ended():
                self._end(client)

    def stop(self, patience: float) -> None:
        """Cancel every call and wait up to `patience` seconds until none runs, so that temporary
        folders are gone before the process is. For any thread but those that run calls and this one."""
        deadline = time.monotonic() + patience
        with self._join_outbox() as close:
            close.send(b"")
        for call in list(self._calls.values()):
            call.cancel()
        while not self._lanes.idle and time.monotonic() < deadline:
            time.sleep(0.005)
        self._closed.wait(max(0.0, deadline - time.monotonic()))

    def _join_outbox(self) -> zmq.Socket[bytes]:
        socket = self._line.context.socket(zmq.PUSH)
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.connect("inproc://outbox")
        return socket

    def _send_on(self, frames: Sequence[zmq.Frame]) -> None:
        """What another thread has to say: an answer, or by a lone frame that this is the end."""
        client, *rest = frames
        if rest:
            self._line.send(client.bytes, rest)
        else:
            self._line.close()
            self._closed.set()

    def _forget(self, call: Call) -> None:
        self._calls.pop((call.client, call.id), None)

    def _end(self, client: bytes) -> None:
        """A client is gone for good, and what is held for it goes as well."""
        self._clients.discard(client)
        for call in list(self._calls.values()):
            if call.client == client:
                call.cancel()
        self._lanes.forget_everything()

    def _answer(self, frames: Sequence[Buffer]) -> None:
        client, *rest = frames
        self._line.send(bytes(client), rest)

    def _receive(self, message: Message) -> None:
        client, frames = message
        try:
            if client not in self._clients:
                self._meet(client, frames)
                return
            request = decode_request(frames[0].buffer)
        except Exception:
            return  # not one of ours, whatever it made the decoder raise: nobody to answer
        if request.t == "cancel":
            call = self._calls.get((client, request.id))
            if call is not None:
                call.cancel()
                if self._lanes.lane_of(call.method).drop(call):
                    self._forget(call)
                    Call(client, call.id, call.method, [], self._answer).fail(cancelled())
        elif request.t == "req":
            self._start(client, request, [frame.buffer for frame in frames[1:]])

    def _meet(self, client: bytes, frames: Sequence[zmq.Frame]) -> None:
        """A peer that has not said hello: of what it sends, only something of a hello's size is looked at."""
        if len(frames) == 1 and len(frames[0]) <= HELLO_BYTES:
            message = decode_hello(frames[0].buffer)
            if message.t == "hello" and self._line.admits(message.p.token):
                self._welcome(client, message.id, message.p)

    def _welcome(self, client: bytes, call_id: int, hello: Hello) -> None:
        if (hello.protocol, hello.contract) != (PROTOCOL_VERSION, CONTRACT_DIGEST):
            error = DepthkitError(
                "VERSION_MISMATCH",
                f"The SDK speaks protocol {hello.protocol}, contract {hello.contract[:12]}; this worker "
                f"speaks {PROTOCOL_VERSION}, {CONTRACT_DIGEST[:12]}. Install both from one depthkit release.",
            )
            Call(client, call_id, "hello", [], self._answer).fail(error)
            return
        self._clients.add(client)
        self._line.welcomed()
        facts = {
            "pid": os.getpid(),
            "python": platform.python_version(),
            "largestFrameBytes": self._line.largest_frame,
        }
        self._answer([client, pack("welcome", call_id, p=facts)])
        self._lanes.start()

    def _start(self, client: bytes, request: Request, buffers: list[memoryview]) -> None:
        here = Call(client, request.id, request.m, [], self._answer)
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
        # From here on the call is its lane's, and so is what it answers through.
        call = Call(client, request.id, request.m, here.frames, self._post_of(self._lanes.lane_of(request.m)))
        self._calls[client, request.id] = call
        self._lanes.submit(call, request.p)

    def _post_of(self, lane: Lane) -> Send:
        """What a lane's calls are answered through, those too that went away from it: a socket that one of
        them uses at a time."""
        post = self._posts.get(lane)
        if post is None:
            post = self._posts[lane] = _in_turn(self._join_outbox())
        return post


def _in_turn(inbox: zmq.Socket[bytes]) -> Send:
    lock = threading.Lock()

    def send(frames: Sequence[Buffer]) -> None:
        with lock:
            inbox.send_multipart(frames, copy=False)

    return send
