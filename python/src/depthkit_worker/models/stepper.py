"""The model's own forward, a few tokens at a time, with keys and values kept in between."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import LongTensor, Tensor

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.kv_cache import cache_keyword, empty_cache
from depthkit_worker.models.listener import Tokens

PAD = 0
"""Stands in front of shorter texts; the mask hides it, so any id of the vocabulary will do."""


@dataclass(frozen=True)
class PaddedBatch:
    """Texts of several lengths that end together: what is predicted next is in the last column."""

    input_ids: LongTensor
    """(batch, sequence), `PAD` in front of shorter texts."""
    mask: Tensor
    """int64 (batch, sequence): 1 where a token counts."""


def pad_left(rows: Sequence[Sequence[int]]) -> PaddedBatch:
    width = max(map(len, rows))
    input_ids = torch.full((len(rows), width), PAD)
    mask = torch.zeros_like(input_ids)
    for row, ids in enumerate(rows):
        input_ids[row, width - len(ids) :] = torch.tensor(ids)
        mask[row, width - len(ids) :] = 1
    assert isinstance(input_ids, LongTensor)
    return PaddedBatch(input_ids, mask)


class Stepper:
    """Reads a batch, then one more token a row and step.

    Positions count a row's own tokens, pads left out: families that take positions are told them, the
    others (Bloom, Falcon with alibi) read them off the mask. Where no attention is left there is nothing
    to keep, and a token's logits depend on that token and its position alone.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._model = decoder.model
        self._device = decoder.device
        self.cache = empty_cache()
        self._mask = torch.zeros((0, 0))
        takes = inspect.signature(decoder.model.forward).parameters
        self._takes_positions = "position_ids" in takes
        self._options: dict[str, Any] = {"return_dict": True, cache_keyword(decoder.model): self.cache}
        if "logits_to_keep" in takes:
            self._options["logits_to_keep"] = 1
        if hasattr(decoder.config, "output_router_logits"):
            self._options["output_router_logits"] = False

    @torch.no_grad()
    def begin(self, batch: PaddedBatch) -> Tensor:
        """What comes after each row: logits (batch, vocabulary)."""
        self._mask = batch.mask.to(self._device)
        self._decoder.announce(Tokens.padded(self._mask, batch.input_ids.shape[1], reading=True))
        return self._forward(batch.input_ids.to(self._device), self._mask)

    @torch.no_grad()
    def step(self, tokens: Tensor) -> Tensor:
        """Append `tokens` (batch,), one per row: logits (batch, vocabulary) of what comes next."""
        self._mask = torch.nn.functional.pad(self._mask, (0, 1), value=1)
        self._decoder.announce(Tokens.padded(self._mask, 1, reading=False))
        keeps = self.cache.get_seq_length() > 0
        return self._forward(tokens[:, None], self._mask if keeps else None)

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only."""
        self._mask = self._mask[rows]
        if self.cache.get_seq_length() > 0:
            self.cache.batch_select_indices(rows)

    def _forward(self, input_ids: Tensor, mask: Tensor | None) -> Tensor:
        options = dict(self._options)
        if self._takes_positions:
            positions = (self._mask.cumsum(1) - 1).clamp(min=0)
            options["position_ids"] = positions[:, -input_ids.shape[1] :]
        output = self._model(input_ids=input_ids, attention_mask=mask, use_cache=True, **options)
        logits = output.logits[:, -1]
        assert isinstance(logits, Tensor)
        return logits
