"""Means over tokens, and how far sequences differ, without keeping the sequences."""

from __future__ import annotations

import torch
from torch import Tensor


class Moments:
    """Streaming mean and standard error of quantities of one shape, in fp64."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.tokens = 0
        self.sequences = 0
        self._sum = torch.zeros(shape, dtype=torch.float64)
        # Welford's recurrence over the sequences' own means: no large squares are subtracted.
        self._sequence_mean = torch.zeros(shape, dtype=torch.float64)
        self._squares = torch.zeros(shape, dtype=torch.float64)

    def add(self, sums: Tensor, counts: Tensor) -> None:
        """`sums` (*shape, batch) over the tokens of each sequence, and `counts` (batch,) of those tokens."""
        for row in range(len(counts)):
            count = int(counts[row])
            if count == 0:
                continue
            self.tokens += count
            self.sequences += 1
            self._sum += sums[..., row]
            mean = sums[..., row] / count
            step = mean - self._sequence_mean
            self._sequence_mean += step / self.sequences
            self._squares += step * (mean - self._sequence_mean)

    def mean(self) -> Tensor:
        """Over all tokens alike."""
        return self._sum / self.tokens

    def standard_error(self) -> Tensor:
        """Of the mean of the sequences' means; NaN for a single sequence, which says nothing of others."""
        if self.sequences < 2:
            return torch.full_like(self._sum, torch.nan)
        return (self._squares / (self.sequences - 1) / self.sequences).sqrt()
