"""Whether a training can be done at all, and what tells it from every other."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from depthkit_worker.data.corpus import Corpus
from depthkit_worker.errors import DepthkitError
from depthkit_worker.repair.fitting import Base
from depthkit_worker.repair.training.options import TrainingOptions

NOT_IDENTITY = ("folder", "save_every")
"""Where and how often checkpoints are written says nothing about what they hold."""
LEAST = {
    "teacher_top": 1,
    "steps": 1,
    "batch_size": 1,
    "accumulation": 1,
    "warmup": 0,
    "validation": 0,
    "validate_every": 1,
    "save_every": 1,
    "seed": 0,
}


def check_options(options: TrainingOptions, corpus: Corpus) -> None:
    """Refuse what the contract does not allow, and more than the corpus has."""
    for name, least in LEAST.items():
        value = getattr(options, name)
        if value < least:
            raise _outside(name, value, f"{least} or more")
    if options.patience is not None and options.patience < 1:
        raise _outside("patience", options.patience, "1 or more, or none")
    if not (options.learning_rate > 0 and math.isfinite(options.learning_rate)):
        raise _outside("learning_rate", options.learning_rate, "more than 0")
    if options.clip is not None and not options.clip > 0:
        raise _outside("clip", options.clip, "more than 0, or none")
    if not options.weight_decay >= 0:
        raise _outside("weight_decay", options.weight_decay, "0 or more")
    weights = dataclasses.asdict(options.objective)
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights.values()) or not any(weights.values()):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The objective's weights are {weights}. Each is 0 or more, and one of them is more than 0: a sum of "
            "nothing cannot be lowered.",
            objective=weights,
        )
    if options.patience is not None and options.validation == 0:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Training was to stop after {options.patience} validations without improvement, and holds out no "
            "sequences to validate on. Set validation to a number of sequences, or patience to null.",
            patience=options.patience,
        )
    if corpus.sequences - options.validation < 1:
        raise DepthkitError(
            "NOT_ENOUGH_TEXT",
            f"The corpus has {corpus.sequences} sequences and {options.validation} of them are held out, which leaves "
            "none to train on. Hold out fewer, or load more text.",
            have=corpus.sequences,
            need=options.validation + 1,
            unit="sequences",
        )


def identity(base: Base, options: TrainingOptions, what: Mapping[str, Any]) -> dict[str, Any]:
    """All that a checkpoint depends on, as JSON. `what`: the method's own part of it."""
    settings = {key: value for key, value in dataclasses.asdict(options).items() if key not in NOT_IDENTITY}
    source = base.decoder.source
    return {
        "model": {
            "weights": source.weights_digest,
            "dtype": str(base.decoder.dtype).removeprefix("torch."),
            "attention": base.decoder.attention_implementation,
        },
        "corpus": {"tokens": base.corpus.info.tokens_digest, "sequences": base.corpus.sequences},
        "removed": [str(unit) for unit in base.subnetwork.units],
        "repairs": [repair.digest for repair in base.subnetwork.repairs],
        "skipTokens": base.skip_tokens,
        "settings": settings,
        "trained": dict(what),
    }


def _outside(name: str, value: object, allowed: str) -> DepthkitError:
    head, *rest = name.split("_")
    wire = head + "".join(part.capitalize() for part in rest)
    return DepthkitError(
        "INVALID_ARGUMENT", f"The training's {wire} is {value}; it is {allowed}.", option=wire, value=str(value)
    )
