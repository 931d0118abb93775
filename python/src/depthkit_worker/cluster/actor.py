"""What runs on the cluster: holds models, and does pieces of work on them."""

from __future__ import annotations

import platform
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

import ray
import torch

from depthkit_worker.cache_folder import user_cache_folder
from depthkit_worker.cluster.messages import Done, Failed, Loaded, ModelOrder, Reported
from depthkit_worker.cluster.orders import Begun, Order
from depthkit_worker.cluster.pace import measure_pace
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import load_model
from depthkit_worker.models.model_digest import model_digest
from depthkit_worker.session.job import cancelled
from depthkit_worker.subnetworks.screening import screening_of

T = TypeVar("T")
HELD = 4
"""Orders that were begun, and data made ready for a model, that are kept for the next piece."""


class PieceActor:
    """One device's worth of the cluster. `stop` and `news` are called beside the others, which come one by
    one."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._decoders: dict[str, Decoder] = {}
        self._orders: OrderedDict[tuple[str, str], Begun] = OrderedDict()
        self._data: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._stopped: set[str] = set()
        self._news = News()

    def load(self, order: ModelOrder) -> Loaded | Failed:
        torch.set_num_threads(self._threads)
        try:
            decoder = load_model(
                order.source, user_cache_folder(), order.options, _Watched(order.key, self._stopped)
            )
            _require_same(decoder, order)
        except DepthkitError as error:
            return Failed(error.code, f"On {platform.node()}: {error.message}", error.details)
        self._decoders[order.key] = decoder
        return Loaded(measure_pace(decoder), platform.node(), decoder.placement)

    def unload(self, key: str) -> None:
        self._decoders.pop(key, None)
        for held in (self._orders, self._data):
            for one in [one for one in held if one[0] == key]:
                del held[one]

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    def stop(self, run: str) -> None:
        """Give up all that belongs to `run`, also what has not begun."""
        self._stopped.add(run)

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    def news(self, run: str) -> list[Any]:
        """What a piece of `run` has said since it was asked last."""
        return self._news.take(run)

    def run(self, run: str, key: str, refs: tuple[Any, ...], piece: Any, aloud: bool) -> Done | Failed | None:
        """`refs`: of the order, and of the data where it is about some, in a tuple so that each is fetched
        once and not for every piece. `aloud`: it is asked for news meanwhile. None: stopped."""
        torch.set_num_threads(self._threads)
        job = _Watched(run, self._stopped, self._news if aloud else None)
        started = time.perf_counter()
        try:
            job.check()
            found = self._begun(key, *refs)(piece, job)
        except DepthkitError as error:
            if error.code == "CANCELLED":
                return None
            return Failed(error.code, error.message, error.details)
        return Done(found, time.perf_counter() - started)

    def _begun(self, key: str, order: Any, data: Any = None) -> Begun:
        def ready(make: Callable[[Any], Any]) -> Any:
            return _held(self._data, (key, data.hex()), lambda: make(ray.get(data)))

        def begin() -> Begun:
            placed: Order = ray.get(order)
            return placed.begin(self._decoders[key], ready)

        return _held(self._orders, (key, order.hex()), begin)


class News:
    """What pieces say while they are done."""

    def __init__(self) -> None:
        self._said: defaultdict[str, list[Any]] = defaultdict(list)
        self._lock = threading.Lock()

    def add(self, run: str, one: Any) -> None:
        """Of reports of one phase the last one counts."""
        with self._lock:
            said = self._said[run]
            last = said[-1] if said else None
            if isinstance(one, Reported) and isinstance(last, Reported) and one.phase == last.phase:
                said.pop()
            said.append(one)

    def take(self, run: str) -> list[Any]:
        with self._lock:
            return self._said.pop(run, [])


class _Watched:
    """The job of a call that the worker may give up. `news`: where it says how far it is; None: nowhere."""

    def __init__(self, run: str, stopped: set[str], news: News | None = None) -> None:
        self._run = run
        self._stopped = stopped
        self._news = news

    def check(self) -> None:
        if self._run in self._stopped:
            raise cancelled()

    def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
        self.part(Reported(phase, done, total, unit))

    def part(self, one: Any) -> None:
        if self._news is not None:
            self._news.add(self._run, one)


def _require_same(decoder: Decoder, order: ModelOrder) -> None:
    found = model_digest(decoder)
    if found != order.digest:
        raise DepthkitError(
            "MODEL_INVALID",
            f"{order.source} is another model here than on the worker's machine ({found[:12]}, not "
            f"{order.digest[:12]}): other weights, configuration or tokeniser, or other releases of the "
            "packages. Put the same files in its place on every node.",
            source=order.source,
        )
    screening = screening_of(decoder)
    if screening != order.screening:
        raise DepthkitError(
            "DEVICE_UNAVAILABLE",
            f"Products of a screening would be in {screening} on {decoder.placement}, and in "
            f"{order.screening} on the worker's own device. Use devices of one kind.",
            device=decoder.placement,
        )


def _held(kept: OrderedDict[tuple[str, str], T], key: tuple[str, str], make: Callable[[], T]) -> T:
    if key not in kept:
        kept[key] = make()
        while len(kept) > HELD:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]
