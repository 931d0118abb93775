"""Removing units from a live model, and putting them back.

A removed block passes the residual stream through; a removed sublayer is a module that computes
nothing and adds nothing. Every block keeps its place in the list, so that what the model looks up by
position (a sliding window, rotary positions or not) stays right. Only the numbers under which the
attentions that stay file their keys and values change: they must run 0, 1, ..., because the library
reads the length of a cache from its first entry.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from depthkit_worker.models.decoder import Decoder, edited_module
from depthkit_worker.models.families import Family
from depthkit_worker.models.recorders import in_form
from depthkit_worker.models.units import Parts
from depthkit_worker.repair.repair import BlockEdit
from depthkit_worker.repair.weight_changes import WeightChange
from depthkit_worker.subnetworks.subnetwork import Subnetwork


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


@contextmanager
def removed(subnetwork: Subnetwork) -> Iterator[None]:
    """Inside, the decoder and its model behave as if the units were not there and the repairs were.

    Holds for replay, for the model's own forward and for generation; a cache must be a
    `DynamicCache()` made without a configuration, since one made with it fixes a kind of layer to
    each of the old numbers. Contexts nest: the inner one removes more.
    """
    decoder = subnetwork.decoder
    with ExitStack() as restore:
        for index, removed_here in enumerate(subnetwork.lost):
            block = decoder.blocks[index]
            if removed_here is Parts.BOTH:
                _swap(decoder.blocks, str(index), _pass_through(decoder, index), restore)
            elif removed_here and not isinstance(block, PassThrough):
                _gate_sublayer(block, removed_here, decoder.family, restore)
        for index, edit in subnetwork.edits.items():
            _apply_edit(decoder, index, edit, restore)
        _renumber_attentions(decoder, restore)
        yield


@contextmanager
def gated_block(block: nn.Module, part: Parts, family: Family) -> Iterator[None]:
    """Inside, `block` alone runs without one sublayer. For replay without a cache: attentions keep
    their numbers. A block that stands for a removed one has no sublayers left to gate."""
    with ExitStack() as restore:
        if not isinstance(block, PassThrough):
            _gate_sublayer(block, part, family, restore)
        yield


def _pass_through(decoder: Decoder, index: int) -> PassThrough:
    return PassThrough(decoder.family, decoder.block_device(index))


def _gate_sublayer(block: nn.Module, part: Parts, family: Family, restore: ExitStack) -> None:
    if part is Parts.ATTENTION:
        _swap(block, family.attention, NoAttention(family), restore)
        return
    *earlier, last = family.feed_forward
    for name in earlier:
        _swap(block, name, nn.Identity(), restore)
    _swap(block, last, NoFeedForward(family), restore)


@contextmanager
def changed_weights(block: nn.Module, changes: Mapping[str, WeightChange]) -> Iterator[None]:
    """Inside, the named parameters of `block` have other values. The old ones come back as they were:
    they are put aside, not computed back."""
    with ExitStack() as restore:
        _change_weights(block, changes, restore)
        yield


def _apply_edit(decoder: Decoder, index: int, edit: BlockEdit, restore: ExitStack) -> None:
    if edit.replacement is not None:
        _swap(decoder.blocks, str(index), edit.replacement, restore)
    block = edited_module(decoder, index)
    _change_weights(block, edit.weights, restore)
    if edit.before is None and edit.beside is None and edit.after is None:
        return
    hooks = _EditHooks(edit)
    restore.callback(block.register_forward_pre_hook(hooks.in_front, with_kwargs=True).remove)
    restore.callback(block.register_forward_hook(hooks.behind).remove)


class _EditHooks:
    """The updates of one block's edit, around the block wherever it is called from."""

    def __init__(self, edit: BlockEdit) -> None:
        self._edit = edit
        self._input: Tensor | None = None

    def in_front(self, _block: nn.Module, positional: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        named = not positional
        x: Tensor = keywords["hidden_states"] if named else positional[0]
        if self._edit.before is not None:
            x = x + self._edit.before(x)
        # Kept only where it is read again: a hook outlives the call.
        self._input = None if self._edit.beside is None else x
        return ((), {**keywords, "hidden_states": x}) if named else ((x, *positional[1:]), keywords)

    def behind(self, _block: nn.Module, _positional: tuple[Any, ...], output: Any) -> Any:
        y: Tensor = output[0] if isinstance(output, tuple) else output
        if self._edit.beside is not None:
            assert self._input is not None
            y = y + self._edit.beside(self._input)
            self._input = None
        if self._edit.after is not None:
            y = y + self._edit.after(y)
        return (y, *output[1:]) if isinstance(output, tuple) else y


def _change_weights(block: nn.Module, changes: Mapping[str, WeightChange], restore: ExitStack) -> None:
    for name, change in changes.items():
        path, _, last = name.rpartition(".")
        module = block.get_submodule(path)
        before = module.get_parameter(last)
        restore.callback(setattr, module, last, before)
        setattr(module, last, nn.Parameter(change(before.detach()), requires_grad=False))


def _renumber_attentions(decoder: Decoder, restore: ExitStack) -> None:
    kept = 0
    for block in decoder.blocks:
        attention = getattr(block, decoder.family.attention, None)
        if attention is None or isinstance(attention, NoAttention):
            continue
        for module in block.modules():
            if isinstance(getattr(module, "layer_idx", None), int) and module.layer_idx != kept:
                restore.callback(setattr, module, "layer_idx", module.layer_idx)
                module.layer_idx = kept  # type: ignore[assignment]
        kept += 1


def _swap(parent: nn.Module, name: str, module: nn.Module, restore: ExitStack) -> None:
    restore.callback(setattr, parent, name, getattr(parent, name))
    setattr(parent, name, module)
