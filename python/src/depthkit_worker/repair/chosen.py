"""What the options of a repair leave to be chosen."""

from __future__ import annotations

from msgspec.structs import replace

from depthkit_worker.contract.wire import (
    EmulatedUpdateOptions,
    FoldOptions,
    LoraOptions,
    RepairMethod,
    ReplacementBlockOptions,
    TrainingOptions,
)

LEARNING_RATE, LEARNING_RATE_OF_BLOCKS = 1e-3, 2e-4
"""The lower one where weights of the model are what is trained, or a block of it."""


def chosen(options: RepairMethod, sequences: int) -> RepairMethod:
    """`options` with all that is null for "chosen" filled in, for a corpus of so many sequences."""
    if isinstance(options, EmulatedUpdateOptions | FoldOptions):
        return options
    if isinstance(options, LoraOptions):
        alpha = 2.0 * options.rank if options.alpha is None else options.alpha
        options = replace(options, alpha=alpha)
    if options.training is None:
        return options
    in_blocks = isinstance(options, LoraOptions | ReplacementBlockOptions)
    rate = LEARNING_RATE_OF_BLOCKS if in_blocks else LEARNING_RATE
    return replace(options, training=chosen_training(options.training, sequences, rate))


def chosen_training(options: TrainingOptions, sequences: int, learning_rate: float) -> TrainingOptions:
    tenth = max(1, options.steps // 10)
    return replace(
        options,
        learning_rate=learning_rate if options.learning_rate is None else options.learning_rate,
        warmup=tenth if options.warmup is None else options.warmup,
        validation=sequences // 8 if options.validation is None else options.validation,
        validate_every=tenth if options.validate_every is None else options.validate_every,
    )
