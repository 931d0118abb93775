"""Which feed-forwards a token skips: one class for each kind of policy.

Each decides of a token by what was read up to it: its own stream in this pass, its place in the text. So a
longer text has the same decisions at its beginning, and one read token by token the same as one read at
once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from depthkit_worker.contract.wire import (
    FeedForwardSkipping,
    FixedSkipping,
    Policy,
    PromptSkipping,
    RandomSkipping,
)


class Decisions(Protocol):
    """Asked block after block, in order of depth."""

    observes: bool
    """Whether it is told what a feed-forward made of the stream."""
    whole_blocks: bool
    """Whether a token that skips a feed-forward also leaves out what the block's attention adds."""

    def begin(self, positions: Tensor, read_only: Tensor) -> None:
        """A pass begins. `positions`, int64 (batch, sequence): of each token, how many are before it in its
        text; `read_only`, bool: a prompt's tokens but the last."""

    def runs(self, block: int) -> Tensor:
        """bool (batch, sequence): the tokens that do not skip the feed-forward of `block`."""

    def saw(self, block: int, ran: Tensor, before: Tensor, behind: Tensor) -> None:
        """The stream (batch, sequence, hidden) in front of the feed-forward and behind it."""


class _Blind:
    """Looks at no stream."""

    observes = False
    whole_blocks = False

    def saw(self, block: int, ran: Tensor, before: Tensor, behind: Tensor) -> None:
        raise AssertionError("a policy that observes nothing was told something")


class SkipByCosine:
    """FFN-SkipLLM, arXiv 2404.03865: where a feed-forward that ran left the cosine of x and y = x + f at the
    threshold or above, the token skips the next `run` of them."""

    observes = True
    whole_blocks = False

    def __init__(self, policy: FeedForwardSkipping) -> None:
        self._policy = policy
        self._warming = self._left = torch.zeros(0)

    def begin(self, positions: Tensor, read_only: Tensor) -> None:
        self._warming = positions < self._policy.warm_up
        self._left = torch.zeros_like(positions)

    def runs(self, block: int) -> Tensor:
        return (self._left == 0) | self._warming

    def saw(self, block: int, ran: Tensor, before: Tensor, behind: Tensor) -> None:
        cosine = torch.nn.functional.cosine_similarity(before.float(), behind.float(), dim=-1)
        # Rounding takes the cosine of two equal vectors beyond 1, where no threshold lies.
        alike = cosine.clamp(-1, 1) >= self._policy.threshold
        # Blocks may lie on several devices.
        begins = (ran & alike).to(self._left.device)
        self._left = torch.where(begins, self._policy.run, (self._left - 1).clamp(min=0))


class SkipFixed(_Blind):
    """Every token past the warm-up skips the same ones."""

    def __init__(self, policy: FixedSkipping) -> None:
        self._policy = policy
        self._warming = torch.zeros(0)

    def begin(self, positions: Tensor, read_only: Tensor) -> None:
        self._warming = positions < self._policy.warm_up

    def runs(self, block: int) -> Tensor:
        return self._warming


class SkipAtRandom(_Blind):
    """By lot, a number for each block and place of a text, whatever stands there."""

    def __init__(self, policy: RandomSkipping) -> None:
        self._policy = policy
        self._positions = torch.zeros(0)
        self._drawn: dict[int, Tensor] = {}

    def begin(self, positions: Tensor, read_only: Tensor) -> None:
        self._positions = positions

    def runs(self, block: int) -> Tensor:
        lots = self._lots(block, int(self._positions.max()) + 1).to(self._positions.device)
        return (lots[self._positions] >= self._policy.share) | (self._positions < self._policy.warm_up)

    def _lots(self, block: int, places: int) -> Tensor:
        """At least for so many places. More of them begin with the same numbers."""
        drawn = self._drawn.get(block)
        if drawn is None or len(drawn) < places:
            generator = np.random.default_rng([self._policy.seed, block])
            drawn = torch.from_numpy(generator.random(max(256, 2 * places)))
            self._drawn[block] = drawn
        return drawn


class SkipWhileReading(_Blind):
    """Prefill-only pruning, arXiv 2602.03295: the tokens of a prompt pass the blocks by, but the last one,
    which what is written goes by. Their keys and values are those of the stream as it comes to the block."""

    whole_blocks = True

    def __init__(self) -> None:
        self._runs = torch.zeros(0)

    def begin(self, positions: Tensor, read_only: Tensor) -> None:
        self._runs = ~read_only

    def runs(self, block: int) -> Tensor:
        return self._runs


def decisions_of(policy: Policy) -> Decisions:
    match policy:
        case FeedForwardSkipping():
            return SkipByCosine(policy)
        case FixedSkipping():
            return SkipFixed(policy)
        case RandomSkipping():
            return SkipAtRandom(policy)
        case PromptSkipping():
            return SkipWhileReading()


def blocks_of(policy: Policy) -> Sequence[int]:
    """The blocks it is about, in order of depth."""
    if isinstance(policy, FixedSkipping):
        return sorted(policy.blocks)
    return range(policy.start, policy.end)


def warm_up_of(policy: Policy) -> int:
    return 0 if isinstance(policy, PromptSkipping) else policy.warm_up
