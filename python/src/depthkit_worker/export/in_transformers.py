"""A checkpoint in stock transformers."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from depthkit_worker.export.answers import Cache, Scores, padded, scores_of


class InTransformers:
    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model.eval()
        # Some know places by the attention mask alone.
        self._takes_positions = "position_ids" in inspect.signature(model.forward).parameters

    @torch.no_grad()
    def read(self, ids: Sequence[int], before: Cache[Any] | None = None) -> tuple[Scores, Cache[Any]]:
        past = None if before is None else before.kept
        output = self._model(input_ids=torch.tensor([ids]), past_key_values=past, use_cache=True)
        cache = output.past_key_values
        tensors = [tensor for layer in cache.layers for tensor in (layer.keys, layer.values)]
        # (rows, heads, tokens, size)
        nbytes = sum(tensor.nbytes // tensor.shape[-2] for tensor in tensors)
        return scores_of(output.logits[0].double().numpy()), Cache(cache.get_seq_length(), nbytes, cache)

    @torch.no_grad()
    def read_padded(self, rows: Sequence[Sequence[int]]) -> list[Scores]:
        ids, mask, positions = map(torch.from_numpy, padded(rows))
        places = {"position_ids": positions} if self._takes_positions else {}
        logits = self._model(input_ids=ids, attention_mask=mask, use_cache=False, **places).logits
        return [
            scores_of(found[-len(row) :].double().numpy()) for found, row in zip(logits, rows, strict=True)
        ]
