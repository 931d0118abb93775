"""What stands in the place of a block or a sublayer that is not there, and updates of the stream beside it.

The same modules serve units removed from a live model and those that a checkpoint in depthkit's own layout
never had.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.families import Family
from depthkit_worker.models.recorders import in_form
from depthkit_worker.models.units import Parts

Slot = Literal["before", "beside", "after"]
"""Where an update of the stream stands at a block, in the order they run."""

UPDATES = "updates"
"""The child of a block that holds updates of its own: those of a checkpoint in depthkit's own layout."""


class PassThrough(nn.Module):
    """In the place of a removed block, on its device: repairs may stand beside it there."""

    def __init__(self, family: Family, device: torch.device) -> None:
        super().__init__()
        self._returns = family.block_returns
        self._device = device
        self.register_forward_pre_hook(self._bring, with_kwargs=True)

    def forward(self, hidden_states: Tensor, *_positional: Any, **_keywords: Any) -> Any:
        return in_form(hidden_states, self._returns)

    def _bring(self, _module: nn.Module, positional: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        if positional:
            return (positional[0].to(self._device), *positional[1:]), keywords
        return (), {**keywords, "hidden_states": keywords["hidden_states"].to(self._device)}


class OnlyUpdates(nn.Module):
    """A block of a checkpoint that has neither sublayer: its updates are all there is of it."""

    def __init__(self, family: Family) -> None:
        super().__init__()
        self._returns = family.block_returns

    def forward(self, hidden_states: Tensor, *_positional: Any, **_keywords: Any) -> Any:
        return in_form(hidden_states, self._returns)


class NoAttention(nn.Module):
    """In the place of a removed attention: zeros, or the residual where the sublayer adds it itself."""

    def __init__(self, family: Family) -> None:
        super().__init__()
        self._adds_residual = family.attention_adds_residual

    def forward(self, hidden_states: Tensor, *positional: Any, **_keywords: Any) -> tuple[Tensor, None]:
        return (positional[0] if self._adds_residual else torch.zeros_like(hidden_states)), None


class NoFeedForward(nn.Module):
    """In the place of a removed feed-forward, or of the last of the modules it is made of."""

    def __init__(self, family: Family) -> None:
        super().__init__()
        self._adds_residual = family.feed_forward_adds_residual
        self._returns = family.feed_forward_returns

    def forward(self, hidden_states: Tensor, *positional: Any) -> Any:
        residual: Tensor = positional[0] if self._adds_residual else torch.zeros_like(hidden_states)
        return in_form(residual, self._returns)


class UpdateHooks:
    """Hooks that run updates around a block, wherever it is called from."""

    def __init__(self, updates: Mapping[Slot, nn.Module]) -> None:
        self._updates = updates
        self._input: Tensor | None = None

    def in_front(self, _block: nn.Module, positional: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        named = not positional
        x: Tensor = keywords["hidden_states"] if named else positional[0]
        if "before" in self._updates:
            x = x + self._updates["before"](x)
        # Kept only where it is read again: a hook outlives the call.
        self._input = x if "beside" in self._updates else None
        return ((), {**keywords, "hidden_states": x}) if named else ((x, *positional[1:]), keywords)

    def behind(self, _block: nn.Module, _positional: tuple[Any, ...], output: Any) -> Any:
        y: Tensor = output[0] if isinstance(output, tuple) else output
        if "beside" in self._updates:
            assert self._input is not None
            y = y + self._updates["beside"](self._input)
            self._input = None
        if "after" in self._updates:
            y = y + self._updates["after"](y)
        return (y, *output[1:]) if isinstance(output, tuple) else y


def own_updates(block: nn.Module) -> dict[Slot, nn.Module]:
    """The updates that belong to a block as it was loaded, in the order they run."""
    held = block._modules.get(UPDATES)
    return {} if held is None else {cast("Slot", slot): update for slot, update in held.named_children()}


def absent_parts(block: nn.Module, family: Family) -> Parts:
    """What a block of a loaded model never had."""
    if isinstance(block, OnlyUpdates):
        return Parts.BOTH
    absent = Parts.NONE
    if isinstance(block._modules.get(family.attention), NoAttention):
        absent |= Parts.ATTENTION
    if isinstance(block._modules.get(family.feed_forward[-1]), NoFeedForward):
        absent |= Parts.FEED_FORWARD
    return absent


def require_whole(block: nn.Module, family: Family, index: int, what: str) -> None:
    """Refuse a block that lacks a sublayer or has updates of its own. `what`: what was to be done with it."""
    if absent_parts(block, family) is Parts.NONE and not own_updates(block):
        return
    raise DepthkitError(
        "INVALID_ARGUMENT",
        f"{what} block {index}, which lacks a sublayer or has an update of the stream of its own in the "
        "checkpoint. It takes a whole block: choose another one, or another method.",
        block=index,
    )
