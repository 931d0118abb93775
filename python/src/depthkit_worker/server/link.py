"""One client's session on a line that may break: what was sent is kept until the client has it."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Iterator, Sequence

import zmq

from depthkit_worker.session.call import Buffer

Frames = Sequence[Buffer | zmq.Frame]


class Link:
    """Numbers messages each way, so that after a break each side sends what the other lacks, and nothing
    arrives twice. `routing` is where the client is reached now; None while it is not."""

    def __init__(self, name: str, key: str) -> None:
        self.id = secrets.token_hex(16)
        self.name = name
        self.key = key
        self.address = ""
        self.routing: bytes | None = None
        self.lost_at = time.monotonic()
        self.received = 0
        self._sent = 0
        self._kept: deque[tuple[int, Frames]] = deque()

    @property
    def client(self) -> bytes:
        return self.id.encode()

    def attach(self, routing: bytes, address: str, received: int) -> None:
        self.routing, self.address = routing, address
        self.acknowledged(received)

    def lose(self) -> None:
        self.routing, self.lost_at = None, time.monotonic()

    def keep(self, frames: Frames) -> int:
        """The number of a new message, which is kept."""
        self._sent += 1
        self._kept.append((self._sent, frames))
        return self._sent

    def acknowledged(self, number: int) -> None:
        while self._kept and self._kept[0][0] <= number:
            self._kept.popleft()

    def is_next(self, number: int) -> bool:
        """Whether a message is the one after the last, and not one that is here already."""
        if number != self.received + 1:
            return False
        self.received = number
        return True

    def lacking(self) -> Iterator[tuple[int, Frames]]:
        """What the client does not have, as far as is known."""
        return iter(tuple(self._kept))
