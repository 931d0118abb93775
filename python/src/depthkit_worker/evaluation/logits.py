"""Logits that a token, or a log-likelihood, can be taken from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import LongTensor, Tensor
from transformers import LogitsProcessor

from depthkit_worker.errors import DepthkitError


def check_logits(logits: Tensor, items: Sequence[int], step: int, dtype: torch.dtype, what: str) -> None:
    """Refuse `logits` (items, ..., vocabulary) with NaN or infinity: their largest would be some token all the
    same, and a text that nobody wrote. `items`: the places of the prompts or requests; `step`: tokens written
    before; `dtype`: that of the model, which the library widens its logits from."""
    # The largest of a row is NaN where one of them is: one pass says it all.
    readable = logits.detach().amax(-1).isfinite().reshape(len(items), -1).all(1)
    if bool(readable.all()):
        return
    places = [item for item, is_readable in zip(items, readable.tolist(), strict=True) if not is_readable]
    name = str(dtype).removeprefix("torch.")
    raise DepthkitError(
        "NOT_MEASURABLE",
        f"{what}: the logits of item {places[0]} are NaN or infinite at step {step}, in {name}, as are those of "
        f"{len(places)} of the {len(items)} items computed together. Look for broken weights, or load the model in a "
        "wider dtype: weights stored in bfloat16 can overflow in float16.",
        item=places[0],
        step=step,
        dtype=name,
        items=len(places),
        of=len(items),
    )


class FiniteLogits(LogitsProcessor):
    """Holds the library's own writing to the same."""

    def __init__(self, items: Sequence[int], dtype: torch.dtype, what: str) -> None:
        self._items = items
        self._dtype = dtype
        self._prompt_tokens: int | None = None
        self._what = what

    def __call__(self, input_ids: LongTensor, scores: Tensor) -> Tensor:
        if self._prompt_tokens is None:
            self._prompt_tokens = input_ids.shape[1]
        items = self._items or range(len(scores))
        check_logits(scores, items, input_ids.shape[1] - self._prompt_tokens, self._dtype, self._what)
        return scores
