"""Trained bias: the emulated update of each gap, the same vector at every token, trained (arXiv
2407.16286)."""

from __future__ import annotations

from depthkit_worker.contract.wire import BiasOptions, EmulatedUpdateOptions
from depthkit_worker.repair.emulated_update import fit_emulated_update
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.repair.training.fills import train_fills
from depthkit_worker.repair.training.options import settled
from depthkit_worker.repair.training.report import OnPoint, training_notes
from depthkit_worker.session.job import Job


def fit_bias(options: BiasOptions, on_point: OnPoint, base: Base, job: Job) -> Fitted:
    """Start from the mean update of the dense model and train it."""
    start = fit_emulated_update(EmulatedUpdateOptions(reference="dense", scale=1.0), base, job)
    training = settled(options.training, base.corpus.sequences)
    fills, report = train_fills(base, start.fills, training, job, on_point)
    return Fitted(
        BiasOptions(training=training), fills, training=report, notes=(*start.notes, *training_notes(report))
    )
