"""What of a pass's tokens the blocks are not called with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Tokens:
    """Of one pass, all (batch, sequence)."""

    positions: Tensor
    """int64: how many tokens of its text are before each."""
    counted: Tensor
    """bool: all but what fills shorter rows."""
    read_only: Tensor
    """bool: of a prompt that will be written behind, all tokens but the last."""

    @classmethod
    def text(cls, positions: Tensor, counted: Tensor | None = None) -> Tokens:
        """Of texts that are read whole; None: all count."""
        nowhere = torch.zeros_like(positions, dtype=torch.bool)
        return cls(positions, ~nowhere if counted is None else counted.to(positions.device), nowhere)

    @classmethod
    def padded(cls, mask: Tensor, columns: int, *, reading: bool) -> Tokens:
        """The last `columns` of rows that end together; `mask`, (batch, tokens so far), is 0 where one has
        not begun. `reading`: they are prompts."""
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -columns:]
        counted = mask[:, -columns:].bool()
        read_only = counted.clone() if reading else torch.zeros_like(counted)
        read_only[:, -1] = False
        return cls(positions, counted, read_only)


class Listener(Protocol):
    """Hears of every pass through the blocks before it runs."""

    def begin(self, tokens: Tokens) -> None: ...
