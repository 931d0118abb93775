"""Training what repairs put into a model: vectors, adapters, patches, blocks."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from torch import nn

from depthkit_worker.contract.wire import TrainingReport
from depthkit_worker.errors import DepthkitError
from depthkit_worker.repair.fitting import Base, Fill
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.repair.storage import describe
from depthkit_worker.repair.training.loop import train
from depthkit_worker.repair.training.options import SettledTraining
from depthkit_worker.repair.training.passes import Trained
from depthkit_worker.repair.training.report import OnPoint
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.gates import removed


def train_fills(
    base: Base, fills: Sequence[Fill], options: SettledTraining, job: Job, on_point: OnPoint
) -> tuple[tuple[Fill, ...], TrainingReport]:
    """Train all parameters of the modules in `fills`, together, from the values they have. The fills given
    are left as they are; changes of weights among them are in place and not trained. What is trained on top
    of the base's repairs names them as its base."""
    below = tuple(repair.digest for repair in base.subnetwork.repairs)
    own = tuple(_copied(fill, below) for fill in fills)
    parameters: dict[str, nn.Parameter] = {}
    for fill in own:
        for index, edit in fill.edits.items():
            for place, module in edit.modules.items():
                parameters |= {f"{index}.{place}.{name}": value for name, value in module.named_parameters()}
    if not parameters:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            "Training was asked for and there is nothing to train: the repair adds no module to the model.",
        )
    first = min(int(name.partition(".")[0]) for name in parameters)
    repairs = [Repair("training", fill.removed, fill.edits, f"training {n}") for n, fill in enumerate(own)]

    @contextmanager
    def surgery() -> Iterator[Trained]:
        with removed(base.subnetwork.repaired(*repairs)):
            yield Trained(parameters, first)

    what = {"fills": [describe(fill.edits).edits for fill in own]}
    return own, train(base, surgery, first, what, options, job, on_point)


def _copied(fill: Fill, below: tuple[str, ...]) -> Fill:
    return Fill(
        fill.removed,
        {index: _copied_edit(edit) for index, edit in fill.edits.items()},
        tuple(dict.fromkeys((*fill.base, *below))),
    )


def _copied_edit(edit: BlockEdit) -> BlockEdit:
    return replace(
        edit,
        before=copy.deepcopy(edit.before),
        beside=copy.deepcopy(edit.beside),
        after=copy.deepcopy(edit.after),
        replacement=copy.deepcopy(edit.replacement),
    )
