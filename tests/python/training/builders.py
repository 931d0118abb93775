"""Small trainings: tiny models, random tokens, a constant in the place of two blocks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import torch
from msgspec import structs
from torch import Tensor

from depthkit_worker.contract.wire import (
    Objective,
    RepairFitOptions,
    TrainingOptions,
    TrainingPoint,
    TrainingReport,
)
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.fitting import Base, Fill
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.repair.training.fills import train_fills
from depthkit_worker.repair.training.options import SettledTraining, settled
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from influence.builders import corpus_of, random_rows

REMOVED = (Unit("block", 2), Unit("block", 3))
ALL = Objective(kl=1.0, loss=0.5, hidden=0.25)
SHORT = settled(
    TrainingOptions(
        steps=6,
        batch_size=2,
        warmup=2,
        learning_rate=1e-2,
        objective=ALL,
        teacher_top=10,
        validation=0,
        validate_every=20,
    ),
    sequences=0,
)


class CancelAfter(Unattended):
    """Given up at the n-th look, with the time of that and of all looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def check(self) -> None:
        self.looks -= 1
        if self.looks <= 0:
            raise cancelled()


class Looks(Unattended):
    """How often a work looks for a cancel."""

    def __init__(self) -> None:
        self.count = 0

    def check(self) -> None:
        self.count += 1


def corpus(*lengths: int, seed: int = 0) -> Corpus:
    made = corpus_of(random_rows(*(lengths or (17, 17, 17, 9, 17, 17)), seed=seed))
    return dataclasses.replace(made, info=structs.replace(made.info, tokens_digest=f"{lengths} {seed}"))


def base_of(
    decoder: Decoder,
    units: tuple[Unit, ...] = REMOVED,
    repairs: tuple[Repair, ...] = (),
    on: Corpus | None = None,
    skip_tokens: int = 0,
) -> Base:
    options = RepairFitOptions(skip_tokens=skip_tokens)
    return Base(Subnetwork(decoder, units, repairs), corpus() if on is None else on, options)


def constant(decoder: Decoder, value: float = 0.0, dtype: torch.dtype | None = None) -> Fill:
    vector = torch.full((decoder.hidden_size,), value, dtype=dtype or decoder.dtype)
    return Fill(REMOVED, {2: BlockEdit(beside=Constant(vector))})


def trained_constant(
    decoder: Decoder, options: SettledTraining = SHORT, job: Unattended | None = None
) -> tuple[Tensor, TrainingReport]:
    fills, report = train_fills(base_of(decoder), [constant(decoder)], options, job or Unattended(), ignore)
    update = fills[0].edits[2].beside
    assert isinstance(update, Constant)
    return update.vector, report


def ignore(_point: TrainingPoint) -> None:
    return


def curve(points: Iterable[TrainingPoint]) -> list[tuple[object, ...]]:
    """All of a training's points that does not depend on the clock."""
    return [(p.step, p.objective, p.validation, p.learning_rate, p.gradient_norm) for p in points]


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
