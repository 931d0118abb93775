"""What the worker remembers between calls: models, corpora, tasks and repairs, by handle."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.away import AwayCalls
from depthkit_worker.subnetworks.dense_streams import DenseStreams

if TYPE_CHECKING:
    from depthkit_worker.cluster.cluster import Cluster
    from depthkit_worker.cluster.ray_session import RaySession
    from depthkit_worker.data.corpus import Corpus
    from depthkit_worker.data.generation_tasks import GenerationTask
    from depthkit_worker.data.stream import TextStream
    from depthkit_worker.data.tasks import Task
    from depthkit_worker.evaluation.task_scores import Scores
    from depthkit_worker.models.decoder import Decoder
    from depthkit_worker.repair.repair import Repair

T = TypeVar("T")


class Registry(Generic[T]):
    """Objects under handles such as `model-3f9a12c4-1`: their kind, this worker, and a number that is never
    used twice. So a handle never means another object: it is closed, or another worker's."""

    def __init__(self, kind: str, worker: str) -> None:
        self._kind = kind
        self._prefix = f"{kind}-{worker}-"
        self._last = 0
        self._items: dict[str, T] = {}
        self._owners: dict[str, str] = {}
        self._lock = threading.RLock()

    def add(self, item: T, owner: str | None = None) -> str:
        """`owner`: the handle of what the object cannot do without, and goes with."""
        with self._lock:
            self._last += 1
            handle = f"{self._prefix}{self._last}"
            self._items[handle] = item
            if owner is not None:
                self._owners[handle] = owner
            return handle

    def get(self, handle: str) -> T:
        try:
            return self._items[handle]
        except KeyError:
            raise self._unknown(handle) from None

    def drop(self, handle: str) -> T:
        with self._lock:
            if handle not in self._items:
                raise self._unknown(handle)
            self._owners.pop(handle, None)
            return self._items.pop(handle)

    def drop_of(self, owner: str) -> None:
        with self._lock:
            for handle in [handle for handle, its_owner in self._owners.items() if its_owner == owner]:
                self.drop(handle)

    def handles(self) -> tuple[str, ...]:
        return tuple(self._items)

    def clear(self) -> None:
        with self._lock:
            self._items.clear()
            self._owners.clear()

    def __len__(self) -> int:
        return len(self._items)

    def _unknown(self, handle: str) -> DepthkitError:
        held = ", ".join(self._items) or "none"
        if not handle.startswith(self._prefix):
            return DepthkitError(
                "INVALID_ARGUMENT",
                f"The {self._kind} {handle} belongs to another worker: another kit's, or one that has ended "
                f"since. Load it again with the kit whose model is used. Held here: {held}.",
                handle=handle,
            )
        return DepthkitError(
            "CLOSED", f"The worker holds no {self._kind} named {handle}; it was closed. Held: {held}."
        )


class Last(Generic[T]):
    """The last object of its kind that was made: one call after the other needs the same."""

    def __init__(self) -> None:
        self._made: tuple[tuple[object, ...], T] | None = None
        self._owners: set[str] = set()

    def get(self, key: tuple[object, ...], owners: Iterable[str], make: Callable[[], T]) -> T:
        """The object under `key`, made where the last one had another key. It goes with any of `owners`, the
        handles of what it was made from."""
        if self._made is None or self._made[0] != key:
            self._made, self._owners = (key, make()), set()
        self._owners.update(owners)
        return self._made[1]

    def drop_of(self, owner: str) -> None:
        if owner in self._owners:
            self.clear()

    def clear(self) -> None:
        self._made, self._owners = None, set()


@dataclass
class LaneState:
    """What one of the threads that run calls is at."""

    running: str | None = None
    """A method."""
    waiting: int = 0
    """Calls."""


class Session:
    """One worker's state. The compute thread changes it, but for corpora and tasks, which the thread of
    light calls adds, and for repairs, which calls that are away add too; the I/O thread only reads it, for
    status."""

    def __init__(self, ray: RaySession | None = None, *, remote: bool = False) -> None:
        self._ray = ray
        self.remote = remote
        """Whether its clients are on other machines: what is this user's alone is then not theirs."""
        self._cluster: Cluster | None = None
        self.ready = False
        self.compute = LaneState()
        self.light = LaneState()
        self.away = AwayCalls()
        worker = secrets.token_hex(4)
        self.models: Registry[Decoder] = Registry("model", worker)
        self.corpora: Registry[Corpus] = Registry("corpus", worker)
        self.tasks: Registry[Task] = Registry("task", worker)
        self.generation_tasks: Registry[GenerationTask] = Registry("generation-task", worker)
        self.repairs: Registry[Repair] = Registry("repair", worker)
        self.written: dict[str, tuple[str, ...]] = {}
        """Folders that exports and saved subnetworks were written to, each with its files: what may be read
        back. It stays when a client goes."""
        self.dense_scores: Last[Scores] = Last()
        """The whole model's, on a task: one subnetwork after the other is compared with them."""
        self.stream: Last[TextStream] = Last()
        """What perplexity is measured on: one subnetwork after the other is scored on the same text, which is
        tokenised once."""
        self.dense_streams = DenseStreams()
        """Where subnetworks begin that lose nothing below: one set after the other is looked at."""

    @property
    def cluster(self) -> Cluster | None:
        """Where pieces of work go, beyond this worker's device."""
        if self._cluster is None and self._ray is not None:
            from depthkit_worker.cluster.cluster import Cluster

            self._cluster = Cluster(self._ray)
        return self._cluster

    def close_model(self, handle: str) -> Decoder:
        """Forget a model and all that was made on it."""
        decoder = self.models.drop(handle)
        if self.cluster is not None:
            self.cluster.forget(decoder)
        self.repairs.drop_of(handle)
        self.dense_scores.drop_of(handle)
        self.stream.drop_of(handle)
        self.dense_streams.clear()
        return decoder

    def close_task(self, handle: str) -> None:
        self.tasks.drop(handle)
        self.dense_scores.drop_of(handle)
