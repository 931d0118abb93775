"""Which token comes next: the likeliest, or one drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Self

import numpy as np
import torch
from torch import LongTensor, Tensor
from transformers import LogitsProcessor

from depthkit_worker.contract.wire import GenerateOptions

Stream = tuple[int, int]
"""A text's own random numbers: its item, and which of the item's texts it is."""


class Chooser:
    """Chooses the next tokens of some texts: the likeliest at temperature 0, else by a number from 0 to 1
    that each text draws for each of its tokens."""

    def __init__(self, temperature: float, top_p: float, numbers: Sequence[Callable[[], float]]) -> None:
        self._temperature = temperature
        self._top_p = top_p
        self._numbers = numbers

    def choose(self, logits: Tensor) -> list[int]:
        """One token per text, from logits (texts, vocabulary)."""
        if self._temperature == 0:
            greedy: list[int] = logits.argmax(-1).tolist()
            return greedy
        # On the CPU and in fp64, so that the same logits give the same token on every device.
        shares = torch.softmax(logits.detach().cpu().double() / self._temperature, -1)
        if self._top_p < 1:
            shares = _most_likely(shares, self._top_p)
        numbers = torch.tensor([[draw()] for draw in self._numbers], dtype=torch.float64)
        return _at(shares, numbers)

    def keep(self, texts: Sequence[int]) -> Self:
        """The same, of the texts that go on."""
        if self._temperature == 0:
            return self
        kept = copy(self)
        kept._numbers = [self._numbers[text] for text in texts]
        return kept


class NextTokens(Chooser):
    """Each text has random numbers of its own, one per token, that depend on the seed and its stream alone:
    what is drawn is the same whatever other texts are written beside it, but where rounding moves a
    probability across the number that was drawn."""

    def __init__(self, options: GenerateOptions, streams: Sequence[Stream]) -> None:
        numbers = [np.random.default_rng([options.seed, *stream]).random for stream in streams]
        super().__init__(options.temperature, options.top_p, numbers)


class OnlyChosen(LogitsProcessor):
    """For the library's own loop, which takes the likeliest token: leaves it but the one that was chosen."""

    def __init__(self, tokens: Chooser) -> None:
        self._tokens = tokens

    def __call__(self, input_ids: LongTensor, scores: Tensor) -> Tensor:
        alone = torch.full_like(scores, -torch.inf)
        for row, token in enumerate(self._tokens.choose(scores)):
            alone[row, token] = 0
        return alone


def _most_likely(shares: Tensor, top_p: float) -> Tensor:
    """The fewest likeliest tokens that hold `top_p` together; the others have nothing. Of equally likely
    ones the lower ids go first."""
    ordered, tokens = shares.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    kept = torch.zeros_like(shares, dtype=torch.bool).scatter(-1, tokens, before < top_p)
    return shares.where(kept, 0)


def _at(shares: Tensor, numbers: Tensor) -> list[int]:
    """The token of each row within whose part of all shares, laid out by id, a number from 0 to 1 falls."""
    sums = shares.cumsum(-1)
    total = sums[:, -1:].contiguous()
    found = torch.searchsorted(sums, numbers * total, right=True)
    # Rounding may bring a number up to the total, which is behind the last token that has a share.
    last = torch.searchsorted(sums, total)
    tokens: list[int] = torch.minimum(found, last)[:, 0].tolist()
    return tokens
