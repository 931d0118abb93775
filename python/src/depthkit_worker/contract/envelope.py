"""The envelope: the first frame of every message. Its TypeScript twin is `src/protocol/envelope.ts`.

Client to worker: `hello`, `req`, `cancel`. Worker to client: `welcome`, `res`, `prog`, `err`, `beat`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

PROTOCOL_VERSION = 1


class TensorHeader(Struct, frozen=True):
    """What the envelope says of one tensor frame: dtype and shape."""

    d: str
    s: list[int]


class Request(Struct, frozen=True):
    """Any message from a client. `p` stays packed until the method is known."""

    t: str
    id: int
    m: str = ""
    p: Raw = Raw()
    b: list[TensorHeader] = []


class Hello(Struct, frozen=True, forbid_unknown_fields=True):
    protocol: int
    contract: str
    token: str


class HelloMessage(Struct, frozen=True, forbid_unknown_fields=True):
    """The first message of a client, whole: nothing else is decoded of a peer before it."""

    t: str
    id: int
    p: Hello


HELLO_BYTES = 512
"""What a hello takes at most: a digest, a token, three numbers and the names of the fields."""


class ErrorBody(Struct, frozen=True):
    code: str
    message: str
    details: dict[str, Any]
    type: str
    """Name of the Python exception, empty for errors raised on purpose."""
    traceback: str


_encoder = msgspec.msgpack.Encoder()
decode_request = msgspec.msgpack.Decoder(Request).decode
decode_hello = msgspec.msgpack.Decoder(HelloMessage).decode


def pack(kind: str, request_id: int, **fields: Any) -> bytes:
    """One envelope from the worker."""
    return _encoder.encode({"t": kind, "id": request_id, **fields})
