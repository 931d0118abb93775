"""What runs on the cluster: holds models, and measures pieces of work on them."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

import ray
import torch

from depthkit_worker.cluster.messages import Done, Failed, Loaded, ModelOrder, received
from depthkit_worker.cluster.pace import measure_pace
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.data.tasks import Task
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import load_model
from depthkit_worker.models.model_digest import model_digest
from depthkit_worker.session.job import cancelled
from depthkit_worker.subnetworks.executor import Evaluation, LocalExecutor, Piece
from depthkit_worker.subnetworks.screening import screening_of

T = TypeVar("T")
HELD = 4
"""Evaluations, and data made ready for a model, that are kept for the next piece."""


class PieceActor:
    """One device's worth of the cluster. `stop` is called beside the others, which come one by one."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._decoders: dict[str, Decoder] = {}
        self._executors: OrderedDict[tuple[str, str], LocalExecutor] = OrderedDict()
        self._evaluations: OrderedDict[tuple[str, str], Evaluation] = OrderedDict()
        self._stopped: set[str] = set()

    def load(self, order: ModelOrder) -> Loaded | Failed:
        torch.set_num_threads(self._threads)
        try:
            decoder = load_model(
                order.source, _cache_folder(), order.options, _Watched(order.key, self._stopped)
            )
            _require_same(decoder, order)
        except DepthkitError as error:
            return Failed(error.code, f"On {platform.node()}: {error.message}", error.details)
        self._decoders[order.key] = decoder
        return Loaded(measure_pace(decoder), platform.node(), decoder.placement)

    def unload(self, key: str) -> None:
        self._decoders.pop(key, None)
        for held in (self._executors, self._evaluations):
            for one in [one for one in held if one[0] == key]:
                del held[one]

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    def stop(self, run: str) -> None:
        """Give up all that belongs to `run`, also what has not begun."""
        self._stopped.add(run)

    def run(self, run: str, key: str, refs: tuple[Any, Any], piece: Piece) -> Done | Failed | None:
        """`refs`: of the data and of the evaluation, in a tuple so that each is fetched once and not for
        every piece. None: stopped."""
        torch.set_num_threads(self._threads)
        tally = _Tally(run, self._stopped)
        started = time.perf_counter()
        try:
            tally.check()
            data, evaluation = refs
            executor = self._executor(key, data)
            sums = tuple(executor.run(self._evaluation(key, evaluation), [piece], tally))
        except DepthkitError as error:
            if error.code == "CANCELLED":
                return None
            return Failed(error.code, error.message, error.details)
        steps = tuple((index, codes, count) for (index, codes), count in tally.steps.items())
        return Done(sums, steps, tally.heads, tuple(tally.notes), time.perf_counter() - started)

    def _executor(self, key: str, ref: Any) -> LocalExecutor:
        def make() -> LocalExecutor:
            data: Corpus | Task = ray.get(ref)
            return LocalExecutor(self._decoders[key], data)

        return _held(self._executors, (key, ref.hex()), make)

    def _evaluation(self, key: str, ref: Any) -> Evaluation:
        return _held(self._evaluations, (key, ref.hex()), lambda: received(ray.get(ref), self._decoders[key]))


class _Watched:
    """The job of a call that the worker may give up."""

    def __init__(self, run: str, stopped: set[str]) -> None:
        self._run = run
        self._stopped = stopped

    def check(self) -> None:
        if self._run in self._stopped:
            raise cancelled()

    def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
        return


class _Tally(_Watched):
    """What a piece spends, for the worker to count."""

    def __init__(self, run: str, stopped: set[str]) -> None:
        super().__init__(run, stopped)
        self.steps: Counter[tuple[int, frozenset[int]]] = Counter()
        self.heads = 0
        self.notes: list[str] = []

    def step(self, index: int, codes: Collection[int], sequences: int) -> None:
        self.check()
        self.steps[index, frozenset(codes)] += sequences

    def head(self, sequences: int) -> None:
        self.check()
        self.heads += sequences

    def note(self, text: str) -> None:
        self.notes.append(text)


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


def _cache_folder() -> Path:
    """This node's, by the rule of the SDK."""
    own = os.environ.get("DEPTHKIT_CACHE_FOLDER") or os.environ.get("DEPTHKIT_HOME")
    if own:
        return Path(own)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "depthkit"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "depthkit")
