"""What a training tells, after each step and in the end."""

from __future__ import annotations

from collections.abc import Callable

from depthkit_worker.contract.wire import TrainingPoint, TrainingReport

OnPoint = Callable[[TrainingPoint], None]


def training_notes(report: TrainingReport) -> tuple[str, ...]:
    """What a reader of the result should not miss."""
    if report.best_step == 0:
        return (
            "no state that training reached scored better on the held-out sequences than the start, which "
            "was kept",
        )
    return ()
