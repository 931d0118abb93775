"""What a remote client and its worker say to each other of their link: the first frame of every message
between them. Its TypeScript twin is `src/protocol/link.ts`; docs/protocol.md describes it."""

from __future__ import annotations

from typing import Any

import msgspec

LINK_VERSION = 1

LINK_BYTES = 512
"""What such a frame takes at most."""


class LinkMessage(msgspec.Struct, frozen=True):
    """From a client. `k`: open, data, ack or bye."""

    k: str
    n: int = 0
    """The number of a data message, from 1."""
    a: int = 0
    """The number of the last one that came here, all before it included."""
    version: int = 0
    session: str = ""
    """To be resumed; empty for a new one."""
    takeOver: bool = False  # noqa: N815 (as it crosses the wire)


decode_link = msgspec.msgpack.Decoder(LinkMessage).decode
_encoder = msgspec.msgpack.Encoder()


def pack_link(kind: str, **fields: Any) -> bytes:
    return _encoder.encode({"k": kind, **fields})
