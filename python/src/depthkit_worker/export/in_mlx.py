"""A checkpoint in mlx-lm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from mlx_lm.models.cache import make_prompt_cache

from depthkit_worker.export.answers import Cache, Scores, scores_of


class InMlx:
    def __init__(self, model: Any) -> None:
        self._model = model

    def read(self, ids: Sequence[int], before: Cache[Any] | None = None) -> tuple[Scores, Cache[Any]]:
        cache = make_prompt_cache(self._model) if before is None else before.kept
        logits = self._model(mx.array([ids]), cache=cache)[0].astype(mx.float32)
        scores = scores_of(np.array(logits))
        tensors = [tensor for layer in cache for tensor in layer.state if isinstance(tensor, mx.array)]
        # Keys and values are (rows, heads, tokens, size), with room for tokens to come.
        nbytes = sum(tensor.nbytes // tensor.shape[-2] for tensor in tensors)
        return scores, Cache(cache[0].offset, nbytes, cache)

    def read_padded(self, rows: Sequence[Sequence[int]]) -> None:
        """Its servers make batches of caches in ways of their own."""
