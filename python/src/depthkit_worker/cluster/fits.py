"""Repairs that take many steps, each fitted by one actor that does nothing else meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from depthkit_worker.cluster.crew import Crew
from depthkit_worker.cluster.dispatch import CallWatch, Dispatch, Pieces
from depthkit_worker.cluster.messages import Reported
from depthkit_worker.cluster.orders import Begun, PackedRepair, PackedSubnetwork, Ready, Telling
from depthkit_worker.contract.wire import RepairFitOptions, RepairMethod, RepairReport
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.repair.fitting import Base
from depthkit_worker.repair.gaps import Gap
from depthkit_worker.repair.methods import fit_repairs
from depthkit_worker.repair.repair import Repair
from depthkit_worker.repair.training.carried import Carried, Home, away_from_home
from depthkit_worker.repair.training.report import OnPoint
from depthkit_worker.session.job import Job


@dataclass(frozen=True)
class FitOrder:
    subnetwork: PackedSubnetwork
    corpus: Corpus
    options: RepairFitOptions
    apart: tuple[Gap, ...]
    repair: RepairMethod

    def begin(self, decoder: Decoder, ready: Ready[Any]) -> Begun:
        base = Base(self.subnetwork.on(decoder), self.corpus, self.options, self.apart)

        def fit(there: Carried | None, job: Telling) -> tuple[tuple[PackedRepair, ...], RepairReport]:
            if there is None:
                repairs, report = fit_repairs(base, self.repair, job.part, job)
            else:
                with away_from_home(there, job, job.part) as (folder, watched):
                    asked, method = _folder_of(self.repair), _in_folder(self.repair, str(folder))
                    try:
                        repairs, report = fit_repairs(base, method, job.part, watched)
                    except DepthkitError as error:
                        raise _told_of(error, str(folder), str(asked)) from error
            return tuple(map(PackedRepair.of, repairs)), report

        return fit


class RayFitter:
    """Has an actor fit a repair of one subnetwork."""

    def __init__(self, crew: Crew, key: str) -> None:
        self._crew = crew
        self._key = key

    def fit_repairs(
        self, base: Base, options: RepairMethod, on_point: OnPoint, job: Job
    ) -> tuple[tuple[Repair, ...], RepairReport]:
        """As the function of this name does it here."""
        import ray

        folder = _folder_of(options)
        home = None if folder is None else Home(Path(folder))

        def hear(said: Any) -> None:
            if isinstance(said, Reported):
                job.report(said.phase, said.done, said.total, said.unit)
            elif isinstance(said, Carried):
                assert home is not None
                home.receive(said)
            else:
                on_point(said)

        order = FitOrder(PackedSubnetwork.of(base.subnetwork), base.corpus, base.options, base.apart, options)
        pieces = Pieces(
            refs=(ray.put(order),),
            count=1,
            piece=lambda _: None if home is None else home.packed(),
            seconds=(),
            name=lambda _: "a repair's training",
            hear=hear,
        )
        job.report("waiting for an actor", 0, None)
        # A repair's report says nothing of actors.
        watch = CallWatch(job.check, lambda _: None)
        [(_, (packed, report))] = Dispatch(self._crew, self._key, "fits").run(pieces, watch)
        return tuple(repair.on(base.decoder) for repair in packed), report


def _folder_of(options: RepairMethod) -> str | None:
    training = getattr(options, "training", None)
    return None if training is None else training.folder


def _in_folder(options: Any, folder: str) -> RepairMethod:
    method: RepairMethod = replace(options, training=replace(options.training, folder=folder))
    return method


def _told_of(error: DepthkitError, folder: str, asked: str) -> DepthkitError:
    """The same of the folder that the caller named."""
    details = {
        name: value.replace(folder, asked) if isinstance(value, str) else value
        for name, value in error.details.items()
    }
    return DepthkitError(error.code, error.message.replace(folder, asked), **details)
