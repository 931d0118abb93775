"""Modules that stand in for blocks while the model's own forward runs around them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn


@dataclass(frozen=True)
class Recorded:
    """What a block is called with besides its first argument, the hidden states."""

    positional: tuple[Any, ...]
    keywords: Mapping[str, Any]


class Recorder(nn.Module):
    """Passes the hidden states on and keeps what it was called with."""

    def __init__(self, returns: Literal["tensor", "tuple"]) -> None:
        super().__init__()
        self._returns = returns
        self._recorded: Recorded | None = None
        self.hidden: Tensor | None = None

    def forward(self, hidden_states: Tensor, *positional: Any, **keywords: Any) -> Any:
        self.hidden = hidden_states
        self._recorded = Recorded(positional, keywords)
        return in_form(hidden_states, self._returns)

    def recorded(self) -> Recorded:
        assert self._recorded is not None, "the model's forward did not call this block"
        return self._recorded


class Replacement(nn.Module):
    """Gives hidden states of its own, whatever comes in."""

    def __init__(self, hidden: Tensor, returns: Literal["tensor", "tuple"]) -> None:
        super().__init__()
        self._hidden = hidden
        self._returns = returns

    def forward(self, *_positional: Any, **_keywords: Any) -> Any:
        return in_form(self._hidden, self._returns)


def in_form(hidden: Tensor, returns: Literal["tensor", "tuple"]) -> Any:
    """`hidden` in the form the family's modules return it: alone, or in front of something nobody reads."""
    return (hidden, None) if returns == "tuple" else hidden
