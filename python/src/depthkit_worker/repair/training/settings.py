"""Whether a training can be done at all, and what tells it from every other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import asdict

from depthkit_worker.data.corpus import Corpus
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.dtypes import dtype_name
from depthkit_worker.repair.fitting import Base
from depthkit_worker.repair.training.options import SettledTraining

NOT_IDENTITY = ("folder", "save_every")
"""Where and how often checkpoints are written says nothing about what they hold."""


def check_options(options: SettledTraining, corpus: Corpus) -> None:
    """Refuse what cannot be trained, and more than the corpus has."""
    weights = asdict(options.objective)
    if not any(weights.values()):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The objective's weights are {weights}. One of them is more than 0: a sum of nothing cannot be "
            f"lowered.",
            objective=weights,
        )
    if options.written_only and (corpus.prompt_lengths is None or not (weights["kl"] or weights["loss"])):
        why = "no model wrote this corpus" if corpus.prompt_lengths is None else "kl and loss weigh nothing"
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Training was to lower kl and loss of written tokens alone (writtenOnly), and {why}. Make the "
            "corpus with model.writeCorpus and weigh one of them, or leave writtenOnly out.",
            objective=weights,
        )
    if options.patience is not None and options.validation == 0:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Training was to stop after {options.patience} validations without improvement, and holds out "
            "no sequences to validate on. Set validation to a number of sequences, or patience to null.",
            patience=options.patience,
        )
    if corpus.sequences - options.validation < 1:
        raise DepthkitError(
            "NOT_ENOUGH_TEXT",
            f"The corpus has {corpus.sequences} sequences and {options.validation} of them are held out, "
            "which leaves none to train on. Hold out fewer, or load more text.",
            have=corpus.sequences,
            need=options.validation + 1,
            unit="sequences",
        )


def identity(base: Base, options: SettledTraining, what: Mapping[str, Any]) -> dict[str, Any]:
    """All that a checkpoint depends on, as JSON. `what`: the method's own part of it."""
    given = asdict(options) | {"objective": asdict(options.objective)}
    settings = {key: value for key, value in given.items() if key not in NOT_IDENTITY}
    source = base.decoder.source
    return {
        "model": {
            "weights": source.weights_digest,
            "dtype": dtype_name(base.decoder.dtype),
            "attention": base.decoder.attention_implementation,
        },
        "corpus": {
            "tokens": base.corpus.info.tokens_digest,
            "sequences": base.corpus.sequences,
            "prompts": list(base.corpus.prompt_lengths or ()) if options.written_only else [],
        },
        "removed": [str(unit) for unit in base.subnetwork.units],
        "repairs": [repair.digest for repair in base.subnetwork.repairs],
        "skipTokens": base.options.skip_tokens,
        "settings": settings,
        "trained": dict(what),
    }
