"""Removing units from a live model, and putting them back.

A removed block passes the residual stream through; a removed sublayer is a module that computes
nothing and adds nothing. Every block keeps its place in the list, so that what the model looks up by
position (a sliding window, rotary positions or not) stays right. Only the numbers under which the
attentions that stay file their keys and values change: they must run 0, 1, ..., because the library
reads the length of a cache from its first entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from torch import Tensor, nn

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder, edited_module
from depthkit_worker.models.families import Family
from depthkit_worker.models.packed import is_packed
from depthkit_worker.models.stand_ins import NoAttention, NoFeedForward, PassThrough, UpdateHooks
from depthkit_worker.models.units import Parts
from depthkit_worker.repair.repair import BlockEdit
from depthkit_worker.repair.weight_changes import WeightChange, sums_in
from depthkit_worker.subnetworks.subnetwork import Subnetwork

_Hook = Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]


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
    if not edit.updates:
        return
    hooks = UpdateHooks(edit.updates)
    restore.callback(block.register_forward_pre_hook(hooks.in_front, with_kwargs=True).remove)
    restore.callback(block.register_forward_hook(hooks.behind).remove)


def _change_weights(block: nn.Module, changes: Mapping[str, WeightChange], restore: ExitStack) -> None:
    for name, change in changes.items():
        path, _, last = name.rpartition(".")
        module = block.get_submodule(path)
        before = module.get_parameter(last)
        if is_packed(before):
            restore.callback(module.register_forward_hook(_beside_packed(name, change)).remove)
            continue
        restore.callback(setattr, module, last, before)
        setattr(module, last, nn.Parameter(change(before.detach()), requires_grad=False))


def _beside_packed(name: str, change: WeightChange) -> _Hook:
    """What a change of a packed weight adds to its product: x A' B', as an adapter that was trained there."""
    sums = sums_in(change)
    if sums is None:
        raise DepthkitError(
            "MODEL_UNSUPPORTED",
            f"Changing {name}: its weights are packed, and only what LoRA adds can stand beside them. Make "
            "the repair of a checkpoint with plain weights.",
            parameter=name,
        )

    def add(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        total = output
        for one in sums:
            down, up = one.a.to(output.device), one.b.to(output.device)
            total = total + (inputs[0].to(down.dtype) @ down.T @ up.T) * one.scale
        return total.to(output.dtype)

    return add


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
