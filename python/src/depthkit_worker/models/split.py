"""Seeing the residual stream between a block's two sublayers while the block itself runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from depthkit_worker.models.families import Family


@dataclass(frozen=True)
class BlockStates:
    """The residual stream at the ends of each unit of a block, all (batch, sequence, hidden).

    A block goes from `x_in` to `x_out`, its attention unit from `x_in` to `attention_out`, its
    feed-forward unit from `feed_forward_in` to `feed_forward_out`. In sequential wiring
    `feed_forward_in` is x_l + a_l and `feed_forward_out` is x_{l+1}; in parallel wiring they are x_l
    and x_l + f_l. States may share memory: do not write to them.
    """

    x_in: Tensor
    attention_out: Tensor
    feed_forward_in: Tensor
    feed_forward_out: Tensor
    x_out: Tensor


@dataclass
class _Observed:
    x_in: Tensor
    parallel: bool
    attention_out: Tensor | None = None
    feed_forward_out: Tensor | None = None
    handles: list[RemovableHandle] = field(default_factory=list)

    def states(self, x_out: Tensor) -> BlockStates:
        # A removed block calls none of its sublayers: it adds nothing anywhere.
        attention_out = self.x_in if self.attention_out is None else self.attention_out
        if not self.parallel:
            return BlockStates(self.x_in, attention_out, attention_out, x_out, x_out)
        feed_forward_out = self.x_in if self.feed_forward_out is None else self.feed_forward_out
        return BlockStates(self.x_in, attention_out, self.x_in, feed_forward_out, x_out)

    def see_middle(self, _module: nn.Module, positional: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        middle = positional[0] if positional else keywords["hidden_states"]
        # OPT flattens batch and sequence before its feed-forward.
        self.attention_out = middle.view(self.x_in.shape)

    # Sums are taken inside the hook: Falcon adds the attention's output into the feed-forward's in
    # place right after this, and a tensor merely kept would change under our hands.
    def see_attention(self, _module: nn.Module, _positional: Any, output: Any) -> None:
        self.attention_out = self.x_in + (output[0] if isinstance(output, tuple) else output)

    def see_feed_forward(self, _module: nn.Module, _positional: Any, output: Any) -> None:
        self.feed_forward_out = self.x_in + output


@contextmanager
def split_block(block: nn.Module, family: Family, parallel: bool, x_in: Tensor) -> Iterator[_Observed]:
    """Watch `block` run on `x_in`. Sequential wiring costs nothing: x_l + a_l is what the block hands
    to `family.after_attention` anyway. Parallel wiring costs two additions."""
    observed = _Observed(x_in, parallel)
    handles = observed.handles
    children = dict(block.named_children())
    try:
        if parallel and family.attention in children:
            attention, feed_forward = children[family.attention], children[family.feed_forward[-1]]
            handles.append(attention.register_forward_hook(observed.see_attention))
            handles.append(feed_forward.register_forward_hook(observed.see_feed_forward))
        elif family.after_attention in children:
            middle = children[family.after_attention]
            handles.append(middle.register_forward_pre_hook(observed.see_middle, with_kwargs=True))
        yield observed
    finally:
        for handle in handles:
            handle.remove()
