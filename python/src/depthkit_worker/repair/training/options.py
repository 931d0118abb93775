"""How a training goes, with what its options leave open chosen."""

from __future__ import annotations

from msgspec.structs import asdict

from depthkit_worker.contract.wire import TrainingOptions

LEARNING_RATE = 1e-3
LEARNING_RATE_OF_WEIGHTS = 2e-4
"""Where a model's own weights are what is trained, or change with it: replacement blocks and LoRA."""


class SettledTraining(TrainingOptions, frozen=True, kw_only=True):
    """Options in which nothing is null that means "chosen"."""

    learning_rate: float
    warmup: int
    validation: int
    validate_every: int


def settled(
    options: TrainingOptions, sequences: int, *, learning_rate: float = LEARNING_RATE
) -> SettledTraining:
    """`options` for a corpus of so many sequences; `learning_rate`: where they name none."""
    tenth = max(1, options.steps // 10)
    chosen = {
        "learning_rate": learning_rate,
        "warmup": tenth,
        "validation": sequences // 8,
        "validate_every": tenth,
    }
    given = asdict(options)
    return SettledTraining(**given | {name: value for name, value in chosen.items() if given[name] is None})
