"""What a worker that drives a cluster has: Ray, actors for each kind of device, and what was placed there."""

from __future__ import annotations

import re
import secrets
import time
import weakref
from typing import Any

from msgspec.structs import replace

from depthkit_worker.cluster.crew import Crew, crew_for
from depthkit_worker.cluster.executor import RayExecutor
from depthkit_worker.cluster.fits import RayFitter
from depthkit_worker.cluster.hands import RayHands
from depthkit_worker.cluster.messages import ModelOrder
from depthkit_worker.cluster.ray_session import RaySession
from depthkit_worker.contract.wire import ModelOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.model_digest import model_digest
from depthkit_worker.session.job import GLANCE, Job
from depthkit_worker.subnetworks.data_rows import Data
from depthkit_worker.subnetworks.screening import screening_of
from depthkit_worker.subnetworks.subnetwork import Subnetwork


class Cluster:
    """Models are placed on actors, and executors, hands and fitters made that have work done there."""

    def __init__(self, ray: RaySession) -> None:
        self._ray = ray
        self._crews: dict[int, Crew] = {}
        """By the GPUs that an actor takes."""
        self._models: weakref.WeakKeyDictionary[Decoder, tuple[str, Crew]] = weakref.WeakKeyDictionary()
        self._data: dict[int, Any] = {}
        """What was placed, by the object's identity, for as long as it lives."""

    def place(self, decoder: Decoder, options: ModelOptions, job: Job) -> int:
        """Have actors hold the model too, loaded from the same place; returns when the first one does. How
        many do or are about to."""
        self._ray.wait(job)
        gpus = _gpus_of(decoder)
        crew = self._crews.get(gpus)
        if crew is None:
            crew = self._crews[gpus] = crew_for(gpus, self._ray.actors)
        key = secrets.token_hex(8)
        order = ModelOrder(
            key, decoder.source.name, on_actor(options, gpus), model_digest(decoder), screening_of(decoder)
        )
        crew.hold(order)
        try:
            self._wait(crew, order, job)
        except BaseException:
            crew.drop(key)
            raise
        self._models[decoder] = (key, crew)
        return crew.expected(key)

    def forget(self, decoder: Decoder) -> None:
        key, crew = self._models.pop(decoder)
        crew.drop(key)

    def executor(self, decoder: Decoder, data: Data) -> RayExecutor:
        key, crew = self._models[decoder]
        return RayExecutor(crew, key, decoder, data, self._placed(data))

    def hands(self, subnetwork: Subnetwork) -> RayHands:
        key, crew = self._models[subnetwork.decoder]
        return RayHands(crew, key, subnetwork)

    def fitter(self, decoder: Decoder) -> RayFitter:
        key, crew = self._models[decoder]
        return RayFitter(crew, key)

    def _placed(self, data: Data) -> Any:
        """Put into the object store once, from where each node fetches it once."""
        import ray

        number = id(data)
        if number not in self._data:
            self._data[number] = ray.put(data)
            weakref.finalize(data, self._data.pop, number, None)
        return self._data[number]

    def _wait(self, crew: Crew, order: ModelOrder, job: Job) -> None:
        refusals: list[str] = []
        while not crew.holding(order.key):
            job.check()
            job.report("loading on actors", 0, None)
            crew.tend(refusals.append)
            if refusals:
                raise DepthkitError(
                    "CLUSTER_UNAVAILABLE",
                    f"Loading {order.source} on the cluster: {refusals[0]}",
                    source=order.source,
                )
            time.sleep(GLANCE)


def _gpus_of(decoder: Decoder) -> int:
    """How many GPUs an actor takes that holds the model as this worker does."""
    kinds = {device.type for device in decoder.devices}
    if kinds == {"cpu"}:
        return 0
    if kinds == {"cuda"}:
        return len(decoder.devices)
    raise DepthkitError(
        "DEVICE_UNAVAILABLE",
        f"The model is on {decoder.placement}: on a cluster models are on CPUs or on CUDA devices, not on "
        "both and not on others.",
        device=decoder.placement,
    )


def on_actor(options: ModelOptions, gpus: int) -> ModelOptions:
    """The same, on the devices that an actor sees, which Ray numbers from 0."""
    if gpus == 0:
        return replace(options, device="cpu", device_map=None)
    if options.device_map is None:
        return replace(options, device="cuda:0")
    shares = re.findall(r"=([0-9]+)", options.device_map)
    ends = [f"={share}" for share in shares] if shares else [""] * gpus
    return replace(options, device_map=",".join(f"cuda:{number}{end}" for number, end in enumerate(ends)))
