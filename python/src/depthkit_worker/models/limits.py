"""What a model can read: ids that its embedding has rows for, and sequences no longer than it was made
for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from depthkit_worker.errors import DepthkitError

STRETCHED = ("linear", "dynamic")
"""Rotary scalings whose configuration keeps the length they start from, as the library asks for."""


@dataclass(frozen=True)
class Limits:
    """All that becomes tokens is held to these; None: nothing limits it."""

    rows: int | None = None
    """Ids are below."""
    tokens: int | None = None
    """Of the longest sequence."""

    def require_length(self, tokens: int, what: str, remedy: str) -> None:
        """Refuse a sequence of `tokens` that the model was not made for: positions beyond are an error in
        some models, and numbers that mean nothing in the others."""
        if self.tokens is not None and tokens > self.tokens:
            raise DepthkitError(
                "INVALID_ARGUMENT",
                f"{what}: {tokens:,} tokens, and the model reads at most {self.tokens:,} at a time. {remedy}",
                tokens=tokens,
                limit=self.tokens,
            )

    def require_highest(self, highest: int, what: str) -> None:
        """Refuse ids up to `highest` for a model with fewer rows."""
        if self.rows is not None and highest >= self.rows:
            raise DepthkitError(
                "INVALID_ARGUMENT",
                f"{what}: the id {highest} is among the tokens, and the model's embedding has {self.rows} "
                f"rows, for ids up to {self.rows - 1}. Load the text from this model, which says what token "
                f"that is.",
                id=highest,
                rows=self.rows,
            )


def limits_of(model: PreTrainedModel) -> Limits:
    embeddings = (model.get_input_embeddings(), model.get_output_embeddings())
    rows = [cast("Tensor", one.weight).shape[0] for one in embeddings if one is not None]
    return Limits(min(rows, default=None), longest_sequence(model.config))


def longest_sequence(config: PreTrainedConfig) -> int | None:
    """The longest sequence a model of this configuration was made for, in tokens; None where nothing says so.

    Rotary positions that are stretched by a factor reach that much farther than the length they start from;
    "longrope" and "llama3" have the length they reach in the configuration, as have rotary positions that
    differ from layer to layer.
    """
    length = getattr(config, "max_position_embeddings", None) or getattr(config, "max_seq_len", None)
    if length is None:
        return None
    rope = getattr(config, "rope_parameters", None) or {}
    kind, factor = rope.get("rope_type"), float(rope.get("factor") or 1)
    if kind in STRETCHED:
        return max(int(length), int(length * factor))
    if kind == "yarn":
        return max(int(length), int((rope.get("original_max_position_embeddings") or length) * factor))
    return int(length)
