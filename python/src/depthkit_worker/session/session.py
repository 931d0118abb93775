"""What the worker remembers between calls: the models and corpora it holds, by handle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from depthkit_worker.errors import DepthkitError

if TYPE_CHECKING:
    from depthkit_worker.data.corpus import Corpus
    from depthkit_worker.data.generation_tasks import GenerationTask
    from depthkit_worker.data.stream import TextStream
    from depthkit_worker.data.tasks import Task
    from depthkit_worker.evaluation.task_scores import Scores
    from depthkit_worker.models.decoder import Decoder
    from depthkit_worker.repair.repair import Repair

T = TypeVar("T")


class Registry(Generic[T]):
    """Objects under handles such as `model-1`. A number is never used twice, so a stale handle is an
    error and never another object."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._last = 0
        self._items: dict[str, T] = {}

    def add(self, item: T) -> str:
        self._last += 1
        handle = f"{self._kind}-{self._last}"
        self._items[handle] = item
        return handle

    def get(self, handle: str) -> T:
        try:
            return self._items[handle]
        except KeyError:
            raise self._closed(handle) from None

    def drop(self, handle: str) -> None:
        if self._items.pop(handle, None) is None:
            raise self._closed(handle)

    def __len__(self) -> int:
        return len(self._items)

    def _closed(self, handle: str) -> DepthkitError:
        held = ", ".join(self._items) or "none"
        return DepthkitError("CLOSED", f"The worker holds no {self._kind} named {handle}; it was closed. Held: {held}.")


class Session:
    """One worker's state. The compute thread changes it; the I/O thread only reads it, for status."""

    def __init__(self) -> None:
        self.ready = False
        self.running: str | None = None
        self.queued = 0
        self.models: Registry[Decoder] = Registry("model")
        self.corpora: Registry[Corpus] = Registry("corpus")
        self.tasks: Registry[Task] = Registry("task")
        self.generation_tasks: Registry[GenerationTask] = Registry("generation-task")
        self.repairs: Registry[Repair] = Registry("repair")
        self.last_dense: tuple[tuple[str, str], Scores] | None = None
        """The whole model's scores on a task, under the handles of both: one subnetwork after the other is
        compared with them."""
        self.last_stream: tuple[object, TextStream] | None = None
        """What perplexity was last measured on, with what it was made from: one subnetwork after the
        other is scored on the same text, which is tokenised once."""
