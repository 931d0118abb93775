"""The library's own writing, held to logits that can be read."""

from __future__ import annotations

from collections.abc import Sequence

from torch import LongTensor, Tensor
from transformers import LogitsProcessor

from depthkit_worker.models.logits import Reader


class FiniteLogits(LogitsProcessor):
    """Looks at the logits of every step. `items`: the places of the prompts; empty: those of the batch."""

    def __init__(self, reader: Reader, items: Sequence[int] = ()) -> None:
        self._reader = reader
        self._items = items
        self._prompt_tokens: int | None = None

    def __call__(self, input_ids: LongTensor, scores: Tensor) -> Tensor:
        if self._prompt_tokens is None:
            self._prompt_tokens = input_ids.shape[1]
        items = self._items or range(len(scores))
        self._reader.check(scores, items, input_ids.shape[1] - self._prompt_tokens)
        return scores
