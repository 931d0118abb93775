"""From a repair's wire form to the library call that fits it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import assert_never

from depthkit_worker.contract import wire
from depthkit_worker.repair.bias import BiasOptions, fit_bias
from depthkit_worker.repair.emulated_update import EmulatedUpdateOptions, fit_emulated_update
from depthkit_worker.repair.fitting import Fit
from depthkit_worker.repair.fold import FoldOptions, fit_fold
from depthkit_worker.repair.lora import LoraOptions, fit_lora
from depthkit_worker.repair.low_rank import LowRankOptions, fit_low_rank
from depthkit_worker.repair.patch import PatchOptions, fit_patch
from depthkit_worker.repair.replacement_block import ReplacementBlockOptions, fit_replacement_block
from depthkit_worker.repair.training.options import Objective, TrainingOptions
from depthkit_worker.repair.training.report import OnPoint


def fit_of(method: wire.RepairMethod, on_point: OnPoint) -> Fit:
    """The method with its settings bound; `on_point` hears of training as it goes."""
    match method:
        case wire.EmulatedUpdateOptions():
            return partial(fit_emulated_update, EmulatedUpdateOptions(method.reference, method.scale))
        case wire.BiasOptions():
            return partial(fit_bias, BiasOptions(_training(method.training)), on_point)
        case wire.LowRankOptions():
            options = LowRankOptions(
                method.rank, method.input, method.reference, method.ridge, _maybe_training(method.training)
            )
            return partial(fit_low_rank, options, on_point)
        case wire.FoldOptions():
            return partial(fit_fold, FoldOptions(method.reference, method.ridge))
        case wire.PatchOptions():
            return partial(fit_patch, PatchOptions(_maybe_training(method.training)), on_point)
        case wire.ReplacementBlockOptions():
            return partial(fit_replacement_block, ReplacementBlockOptions(_maybe_training(method.training)), on_point)
        case wire.LoraOptions():
            assert method.alpha is not None
            lora = LoraOptions(
                rank=method.rank,
                alpha=method.alpha,
                dropout=method.dropout,
                targets=method.targets,
                first=method.blocks.first,
                last=method.blocks.last,
                experts=None if method.experts is None else method.experts.probability,
                training=_training(method.training),
            )
            return partial(fit_lora, lora, on_point)
        case _:
            assert_never(method)


def _maybe_training(training: wire.TrainingOptions | None) -> TrainingOptions | None:
    return None if training is None else _training(training)


def _training(training: wire.TrainingOptions) -> TrainingOptions:
    assert training.learning_rate is not None and training.warmup is not None
    assert training.validation is not None and training.validate_every is not None
    objective = training.objective
    return TrainingOptions(
        objective=Objective(objective.kl, objective.loss, objective.hidden),
        teacher_top=training.teacher_top,
        steps=training.steps,
        batch_size=training.batch_size,
        accumulation=training.accumulation,
        learning_rate=training.learning_rate,
        warmup=training.warmup,
        clip=training.clip,
        weight_decay=training.weight_decay,
        activation_checkpointing=training.activation_checkpointing,
        validation=training.validation,
        validate_every=training.validate_every,
        patience=training.patience,
        folder=None if training.folder is None else Path(training.folder),
        save_every=training.save_every,
        seed=training.seed,
    )
