"""No message ends the worker, whatever it makes the decoder raise."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import msgspec
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from depthkit_worker.contract.envelope import HELLO_BYTES, PROTOCOL_VERSION, decode_hello, pack
from depthkit_worker.contract.wire import CONTRACT_DIGEST, METHODS
from depthkit_worker.handlers.table import HANDLERS
from depthkit_worker.server.local import LocalLine
from depthkit_worker.server.server import Server

TOKEN = "0123456789abcdef0123456789abcdef"
HELLO = pack("hello", 1, p={"protocol": PROTOCOL_VERSION, "contract": CONTRACT_DIGEST, "token": TOKEN})
GUESS = pack("hello", 1, p={"protocol": PROTOCOL_VERSION, "contract": CONTRACT_DIGEST, "token": TOKEN[::-1]})


class Client:
    def __init__(self, endpoint: str) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(endpoint)
        self._last = 1_000_000

    def send(self, *frames: bytes) -> None:
        self._socket.send_multipart(frames)

    def hears(self) -> bool:
        return bool(self._socket.poll(0))

    def is_answered(self) -> bool:
        """Whether a good call after all that was sent gets its answer; the test hangs where it gets none."""
        self._last += 1
        params = {"value": 1.0, "integer": 1, "text": "", "tensors": []}
        self.send(pack("req", self._last, m="worker.ping", p=params, b=[]))
        while True:
            reply = msgspec.msgpack.decode(self._socket.recv_multipart()[0])
            if reply["id"] == self._last:
                return bool(reply["t"] == "res")


@pytest.fixture(scope="module")
def endpoints() -> Iterator[tuple[Client, Client]]:
    line = LocalLine(TOKEN)
    server = Server(line, HANDLERS)
    threading.Thread(target=server.run, daemon=True).start()
    stranger, client = Client(line.endpoint), Client(line.endpoint)
    stranger.send(GUESS)
    client.send(HELLO)
    yield stranger, client


scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(-(2**63), 2**63 - 1), inner),
)
keys = st.sampled_from(["t", "id", "m", "p", "b", "protocol", "contract", "token", "x"])
kinds = st.sampled_from(["hello", "cancel", "beat", "req", "res"])
methods = st.sampled_from(sorted(METHODS.keys() - {"worker.sleep"}))
envelopes = st.dictionaries(keys, kinds | methods | values | st.dictionaries(keys, values)).map(
    msgspec.msgpack.encode
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A good message with some of its bytes changed, and perhaps its end cut off."""
    whole = bytearray(draw(st.sampled_from([GUESS, pack("req", 7, m="worker.status", p={}, b=[])])))
    for place, byte in draw(
        st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=8)
    ):
        whole[place] = byte
    return bytes(whole[: draw(st.integers(0, len(whole)))])


messages = st.lists(st.binary(max_size=600) | envelopes | mutated(), min_size=1, max_size=5)
thorough = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), database=None)


@given(messages)
@thorough
def test_a_stranger_is_neither_answered_nor_the_end(
    endpoints: tuple[Client, Client], frames: list[bytes]
) -> None:
    stranger, client = endpoints
    stranger.send(*frames)
    assert client.is_answered()
    assert not stranger.hears()


@given(messages)
@thorough
def test_a_client_is_answered_after_whatever_it_sent(
    endpoints: tuple[Client, Client], frames: list[bytes]
) -> None:
    _, client = endpoints
    client.send(*frames)
    assert client.is_answered()


@given(st.binary(max_size=HELLO_BYTES) | envelopes)
@thorough
def test_only_a_whole_hello_is_decoded(message: bytes) -> None:
    try:
        hello = decode_hello(message)
    except Exception:
        return
    assert isinstance(hello.p.token, str)


def test_a_hello_fits_with_room() -> None:
    assert len(HELLO) < HELLO_BYTES // 2
