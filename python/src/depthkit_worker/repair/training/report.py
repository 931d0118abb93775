"""What a training tells, after each step and in the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TrainingPoint:
    step: int
    objective: float | None
    validation: float | None
    learning_rate: float
    gradient_norm: float | None
    tokens_per_second: float
    seconds_left: float | None


OnPoint = Callable[[TrainingPoint], None]


@dataclass(frozen=True)
class TrainingReport:
    trained: int
    steps: int
    best_step: int
    tokens: int
    stopped: Literal["steps", "patience"]
    resumed_from: int | None
    skipped_checkpoints: tuple[str, ...]
    change: float
    points: tuple[TrainingPoint, ...]


def training_notes(report: TrainingReport) -> tuple[str, ...]:
    """What a reader of the result should not miss."""
    if report.best_step == 0:
        return (
            "no state that training reached scored better on the held-out sequences than the start, which was kept",
        )
    return ()
