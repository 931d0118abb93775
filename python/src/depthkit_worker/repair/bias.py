"""Trained bias: the emulated update of each gap, the same vector at every token, trained (arXiv 2407.16286)."""

from __future__ import annotations

from dataclasses import dataclass, field

from depthkit_worker.repair.emulated_update import EmulatedUpdateOptions, fit_emulated_update
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.repair.training.fills import train_fills
from depthkit_worker.repair.training.options import TrainingOptions
from depthkit_worker.repair.training.report import OnPoint, training_notes
from depthkit_worker.session.job import Job


@dataclass(frozen=True)
class BiasOptions:
    training: TrainingOptions = field(default_factory=TrainingOptions)


def fit_bias(options: BiasOptions, on_point: OnPoint, base: Base, job: Job) -> Fitted:
    """Start from the mean update of the dense model and train it."""
    start = fit_emulated_update(EmulatedUpdateOptions("dense", 1.0), base, job)
    fills, report = train_fills(base, start.fills, options.training, job, on_point)
    return Fitted(fills, training=report, notes=(*start.notes, *training_notes(report)))
