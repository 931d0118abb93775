"""One request on its way through the worker: what its handler may do, and what it answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from depthkit_worker.contract.envelope import TensorHeader, pack
from depthkit_worker.contract.frames import Frame
from depthkit_worker.contract.wire import TensorRef
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.failure import describe
from depthkit_worker.session.job import cancelled

if TYPE_CHECKING:
    import numpy as np

PROGRESS_INTERVAL = 0.1
"""Seconds between two progress messages of a call; what comes faster is merged, the latest wins."""

QUEUED = "queued"
"""The phase of a call that waits for others."""

Buffer = bytes | memoryview
Send = Callable[[Sequence[Buffer]], object]
"""Sends one message: the client's identity, the envelope, the tensor frames."""


class Call:
    """A `Job` that answers over the wire. Made by the I/O thread, used by the thread that runs it."""

    def __init__(self, client: bytes, request_id: int, method: str, frames: list[Frame], send: Send) -> None:
        self.client = client
        self.id = request_id
        self.method = method
        self.frames = frames
        self._send = send
        self._cancelled = threading.Event()
        self._started = time.monotonic()
        self._last_report = 0.0
        self._last_phase = ""
        self._attached: list[Frame] = []

    def cancel(self) -> None:
        self._cancelled.set()

    def check(self) -> None:
        if self._cancelled.is_set():
            raise cancelled()

    def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
        now = time.monotonic()
        # A finished count and a new phase always go out: they are what a bar must not miss.
        finished = total is not None and done >= total
        if not finished and phase == self._last_phase and now - self._last_report < PROGRESS_INTERVAL:
            return
        self._last_report = now
        self._last_phase = phase
        progress = {
            "phase": phase,
            "done": done,
            "total": total,
            "unit": unit,
            "seconds": now - self._started,
        }
        self._send([self.client, pack("prog", self.id, p=progress)])

    def tell_place(self, done: int, total: int, send: Send | None = None) -> None:
        """Say, while it waits, how many of the `total` calls ahead of it are `done`; all: it has begun."""
        seconds = time.monotonic() - self._started
        progress = {"phase": QUEUED, "done": done, "total": total, "unit": "calls", "seconds": seconds}
        (send or self._send)([self.client, pack("prog", self.id, p=progress)])

    def array(self, reference: TensorRef, dtype: str) -> np.ndarray:
        """The array that came with the request; it views the frame's memory."""
        import numpy as np

        index = reference.tensor
        if index >= len(self.frames) or self.frames[index].dtype != dtype:
            raise DepthkitError(
                "INVALID_ARGUMENT",
                f"{self.method} refers to frame {index} as {dtype}, and no such array came.",
            )
        frame = self.frames[index]
        return np.frombuffer(frame.data, dtype=dtype).reshape(frame.shape)

    def attach(self, array: np.ndarray) -> TensorRef:
        """Add an array to the answer; it travels as a frame, without a copy when contiguous."""
        import numpy as np

        contiguous = np.ascontiguousarray(array)
        return self.attach_frame(Frame(contiguous.dtype.name, contiguous.shape, contiguous.data.cast("B")))

    def attach_frame(self, frame: Frame) -> TensorRef:
        self._attached.append(frame)
        return TensorRef(tensor=len(self._attached) - 1)

    def part(self, result: object) -> None:
        """Send what is finished already, with the arrays attached since the last part."""
        self._send_with_frames("part", result)

    def answer(self, result: object) -> None:
        self._send_with_frames("res", result)

    def _send_with_frames(self, kind: str, body: object) -> None:
        frames, self._attached = self._attached, []
        headers = [TensorHeader(frame.dtype, list(frame.shape)) for frame in frames]
        envelope = pack(kind, self.id, p=body, b=headers)
        self._send([self.client, envelope, *(frame.data for frame in frames)])

    def fail(self, error: BaseException) -> None:
        self._send([self.client, pack("err", self.id, e=describe(error))])
