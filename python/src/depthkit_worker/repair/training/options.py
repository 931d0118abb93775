"""How a training goes, and what it lowers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Objective:
    """Weights of the sum that training lowers."""

    kl: float = 1.0
    loss: float = 0.0
    hidden: float = 0.0


@dataclass(frozen=True)
class TrainingOptions:
    """See `Training` in src/protocol/repair.ts for what each is."""

    objective: Objective = Objective()
    teacher_top: int = 100
    steps: int = 100
    batch_size: int = 4
    accumulation: int = 1
    learning_rate: float = 1e-3
    warmup: int = 10
    clip: float | None = 1.0
    weight_decay: float = 0.0
    activation_checkpointing: bool = False
    validation: int = 0
    validate_every: int = 20
    patience: int | None = None
    folder: Path | None = None
    save_every: int = 50
    seed: int = 0
