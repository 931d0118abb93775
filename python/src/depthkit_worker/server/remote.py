"""The line of a worker that listens on a network: encrypted, for those whose keys it trusts, one at a
time."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import zmq
from zmq.auth.thread import ThreadAuthenticator
from zmq.utils.monitor import recv_monitor_message

from depthkit_worker.contract.link import LINK_BYTES, LINK_VERSION, LinkMessage, decode_link, pack_link
from depthkit_worker.errors import DepthkitError
from depthkit_worker.server.keys import name_of, read_keys
from depthkit_worker.server.line import Message, router_of, send_frames
from depthkit_worker.server.link import Frames, Link
from depthkit_worker.session.failure import describe

LARGEST_FRAME = 256 << 20
"""Bytes. A stranger can make the worker hold that much for as long as a handshake may take."""
HEARTBEAT_MS, SILENCE_MS = 5_000, 15_000
"""How often libzmq looks whether the other machine is there, and after what silence it gives a connection
up."""
ZAP_DOMAIN = "depthkit"
FAREWELL_MS = 300
REFUSALS: dict[int, str] = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "a key that is not trusted",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: (
        "no handshake for this worker's key: another worker's key, or a replay"
    ),
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "no handshake: no key, or no depthkit",
}


class RemoteLine:
    """A ROUTER socket under CURVE. Nothing is read of a peer before libzmq has proved by its key that it is
    one of those trusted; libzmq's handshake is another each time, so that what was recorded opens nothing."""

    remote = True

    def __init__(self, endpoint: str, keys: Path, keep: float) -> None:
        own = read_keys(keys)
        self._keys = keys
        self._keep = keep
        self._link: Link | None = None
        self._ended: list[bytes] = []
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._authenticator = ThreadAuthenticator(self.context)
        self._authenticator.start()
        self._authenticator.configure_curve_callback(domain=ZAP_DOMAIN, credentials_provider=self)
        self.largest_frame = LARGEST_FRAME
        self._router = router_of(self.context, LARGEST_FRAME)
        self._router.setsockopt(zmq.ROUTER_MANDATORY, 1)  # a send to who is gone says so
        self._router.setsockopt(zmq.IPV6, int("[" in endpoint))
        self._router.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
        self._router.setsockopt(zmq.HEARTBEAT_TIMEOUT, SILENCE_MS)
        # With a domain libzmq lets nobody in where it cannot ask; without one, everybody.
        self._router.setsockopt_string(zmq.ZAP_DOMAIN, ZAP_DOMAIN)
        self._router.curve_server = True
        self._router.curve_secretkey = own.secret.encode()
        self._router.curve_publickey = own.public.encode()
        self._monitor = self._router.get_monitor_socket(sum(REFUSALS))
        try:
            self._router.bind(endpoint)
        except zmq.ZMQError as error:
            raise SystemExit(f"The worker cannot listen at {endpoint}: {error.strerror}.") from error
        self.endpoint = self._router.getsockopt_string(zmq.LAST_ENDPOINT)

    def callback(self, domain: str, key: bytes) -> bool:
        """Whether libzmq may let in the owner of `key`; asked in the authenticator's thread."""
        return name_of(self._keys, key.decode()) is not None

    def sockets(self) -> Sequence[zmq.Socket[bytes]]:
        return [self._router, self._monitor]

    def receive(self, socket: zmq.Socket[bytes]) -> Message | None:
        if socket is self._monitor:
            _log(f"refused: {REFUSALS[recv_monitor_message(socket)['event']]}")
            return None
        routing, head, *frames = socket.recv_multipart(copy=False)
        try:
            if len(head) > LINK_BYTES:
                return None
            message = decode_link(head.buffer)
            if message.k == "open":
                self._open(routing.bytes, head, message)
                return None
        except Exception:
            return None  # not one of ours: nobody to answer
        link = self._link
        if link is None or link.routing != routing.bytes:
            return None  # of a connection that another has taken the place of
        link.acknowledged(message.a)
        if message.k == "data" and link.is_next(message.n):
            return Message(link.client, frames)
        if message.k == "bye":
            self._write(routing.bytes, pack_link("bye"))
            self._end(link, "closed")
        return None

    def admits(self, token: str) -> bool:
        return True  # its key said so

    def welcomed(self) -> None:
        return

    def send(self, client: bytes, frames: Frames) -> None:
        link = self._link
        if link is not None and link.client == client:
            self._send_numbered(link, link.keep(frames), frames)

    def beat(self, clients: Sequence[bytes]) -> None:
        """Says what has arrived, so that the client need not keep it, and finds out who is gone."""
        link = self._link
        if link is None:
            return
        if link.routing is not None:
            if not self._write(link.routing, pack_link("ack", a=link.received)):
                self._lost(link)
        elif time.monotonic() - link.lost_at > self._keep:
            self._end(link, f"given up, {self._keep:g} s after its link was lost")

    def ended(self) -> Sequence[bytes]:
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        link = self._link
        if link is None or link.routing is None or not self._write(link.routing, pack_link("bye")):
            return
        # Until the client has heard it, and says so too.
        deadline = time.monotonic() + FAREWELL_MS / 1000
        while self._link is not None and self._router.poll(max(0, int((deadline - time.monotonic()) * 1000))):
            self.receive(self._router)

    def _open(self, routing: bytes, head: zmq.Frame, message: LinkMessage) -> None:
        key, address = str(head.get("User-Id")), str(head.get("Peer-Address"))
        name = name_of(self._keys, key) or key
        try:
            link = self._link_for(name, key, message)
        except DepthkitError as error:
            _log(f"{name} ({address}) refused: {error.message}")
            self._write(routing, pack_link("refused", e=describe(error)))
            return
        link.attach(routing, address, message.a)
        facts = {"session": link.id, "keepSeconds": self._keep, "a": link.received}
        self._write(routing, pack_link("opened", **facts))
        _log(f"{name} ({address}): session {link.id[:6]} {'goes on' if message.session else 'opened'}")
        for number, frames in link.lacking():
            self._send_numbered(link, number, frames)

    def _link_for(self, name: str, key: str, message: LinkMessage) -> Link:
        link = self._link
        if message.version != LINK_VERSION:
            raise DepthkitError(
                "VERSION_MISMATCH",
                f"The SDK speaks link {message.version}, this worker {LINK_VERSION}. Install both from one "
                "depthkit release.",
            )
        if message.session:
            if link is not None and (link.id, link.key) == (message.session, key):
                return link
            raise DepthkitError(
                "CONNECTION_LOST",
                "The worker has no such session any more: it was given up, taken over, or the worker started "
                "anew. What it held is gone: connect again, and load again.",
            )
        if link is not None and not message.takeOver:
            raise _busy(link)
        if link is not None:
            if link.routing is not None:
                error = DepthkitError("CONNECTION_LOST", f"The session was taken over by {name}.")
                self._write(link.routing, pack_link("refused", e=describe(error)))
            self._end(link, f"taken over by {name}")
        self._link = Link(name, key)
        return self._link

    def _send_numbered(self, link: Link, number: int, frames: Frames) -> None:
        if link.routing is None:
            return
        head = pack_link("data", n=number, a=link.received)
        if not self._write(link.routing, head, frames):
            self._lost(link)

    def _write(self, routing: bytes, head: bytes, frames: Frames = ()) -> bool:
        """Whether there is a connection to write to."""
        try:
            send_frames(self._router, [routing, head, *frames])
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return False
        return True

    def _lost(self, link: Link) -> None:
        link.lose()
        _log(f"{link.name} ({link.address}): link lost; session {link.id[:6]} is kept for {self._keep:g} s")

    def _end(self, link: Link, how: str) -> None:
        self._link = None
        self._ended.append(link.client)
        _log(f"{link.name} ({link.address}): session {link.id[:6]} {how}")


def _busy(link: Link) -> DepthkitError:
    lost = None if link.routing is not None else round(time.monotonic() - link.lost_at)
    state = "" if lost is None else f", whose link was lost {lost} s ago"
    return DepthkitError(
        "WORKER_BUSY",
        f"The worker serves {link.name} at {link.address}{state}. One client is served at a time: wait until "
        "it closes, or end its session with takeOver.",
        holder=link.name,
        address=link.address,
        lostSeconds=lost,
    )


def _log(words: str) -> None:
    print(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {words}", file=sys.stderr, flush=True)
