"""A subnetwork that follows a policy, on the live model: for replay, the model's own forward and writing.

The feed-forwards that may be skipped are swapped for modules that run the tokens which do not skip, gathered,
and add nothing for the others. Where none skips, the module itself runs on what it was given: the numbers are
the model's own, bit for bit.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from depthkit_worker.contract.wire import FixedSkipping, Policy, PromptSkipping, Skips
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.families import Family
from depthkit_worker.models.listener import Tokens
from depthkit_worker.models.recorders import in_form
from depthkit_worker.models.split import split_block
from depthkit_worker.models.stand_ins import require_whole
from depthkit_worker.models.units import Parts
from depthkit_worker.policies.decisions import blocks_of, decisions_of, warm_up_of
from depthkit_worker.policies.tally import Tally
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.hands import Hands, Items, Note, OwnDevice, Work
from depthkit_worker.subnetworks.subnetwork import Subnetwork

P = TypeVar("P")
R = TypeVar("R")


class Follower:
    """Follows a policy through the passes of a decoder."""

    def __init__(self, policy: Policy, blocks: tuple[int, ...], there: tuple[bool, ...]) -> None:
        """`blocks`: those the policy is about; `there`: of each block, whether it has its feed-forward."""
        self._decisions = decisions_of(policy)
        self.blocks = blocks
        self.there = there
        self.tally = Tally(there, blocks, warm_up_of(policy))
        self._tokens: Tokens | None = None
        self._runs: Tensor = torch.zeros(0, dtype=torch.bool)
        self._places: Tensor | None = None
        self._skipped: dict[int, Tensor] = {}

    @property
    def observes(self) -> bool:
        return self._decisions.observes

    @property
    def whole_blocks(self) -> bool:
        return self._decisions.whole_blocks

    def begin(self, tokens: Tokens) -> None:
        """Hears of every pass before it runs."""
        self._tokens, self._skipped = tokens, {}
        self._decisions.begin(tokens.positions, tokens.read_only)

    def enter(self, block: int, x: Tensor) -> None:
        """Block `block` is about to run on the stream `x`, (batch, sequence, hidden)."""
        tokens = self._tokens
        if tokens is None or tokens.positions.shape != x.shape[:2]:
            raise AssertionError(f"block {block} runs on tokens that no policy has heard of")
        self._runs = self._decisions.runs(block).to(x.device)
        self._places = None if bool(self._runs.all()) else self._runs.flatten().nonzero()[:, 0]
        self._skipped[block] = ~self._runs

    def leave(self, block: int) -> None:
        if block != self.blocks[-1]:
            return
        assert self._tokens is not None
        self.tally.add(self._tokens.positions, self._tokens.counted, self._skipped)

    def saw(self, block: int, before: Tensor, behind: Tensor) -> None:
        self._decisions.saw(block, self._runs, before, behind)

    @property
    def places(self) -> Tensor | None:
        """int64: the tokens that run the feed-forward at hand, batch and sequence flattened; None: all."""
        return self._places

    @property
    def runs(self) -> Tensor:
        """bool (batch, sequence): the same."""
        return self._runs

    def skips(self) -> Skips:
        """Of all passes so far."""
        return self.tally.skips()


class _OnSomeTokens(nn.Module):
    """In the place of a feed-forward, or of the last of the modules it is made of."""

    def __init__(self, whole: nn.Module, follower: Follower, family: Family) -> None:
        super().__init__()
        self._whole = whole
        self._follower = follower
        self._adds_residual = family.feed_forward_adds_residual
        self._returns = family.feed_forward_returns

    def forward(self, hidden_states: Tensor, *positional: Tensor) -> Any:
        places = self._follower.places
        if places is None:
            return self._whole(hidden_states, *positional)
        result = (
            positional[0].contiguous().clone()
            if self._adds_residual
            else hidden_states.new_zeros(hidden_states.shape)
        )
        if len(places):
            given = (_flat(one)[places][None] for one in (hidden_states, *positional))
            output = self._whole(*given)
            _flat(result)[places] = (output[0] if isinstance(output, tuple) else output)[0]
        return in_form(result, self._returns)


def _flat(states: Tensor) -> Tensor:
    return states.reshape(-1, states.shape[-1])


@contextmanager
def following(subnetwork: Subnetwork, policy: Policy | None) -> Iterator[Follower | None]:
    """Inside, the decoder and its model behave as `subnetwork` under `policy`; None: as the subnetwork."""
    if policy is None:
        with removed(subnetwork):
            yield None
        return
    follower = follower_of(subnetwork, policy)
    with led_by(follower, subnetwork):
        yield follower


@contextmanager
def at_work(
    subnetwork: Subnetwork, policy: Policy | None, hands: Hands | None
) -> Iterator[tuple[Hands, Follower | None]]:
    """Who works on `subnetwork` under `policy`: the hands that are given; None: this worker's device. And
    where the policy's skips are counted."""
    if hands is None:
        with following(subnetwork, policy) as follower:
            yield OwnDevice(subnetwork.decoder), follower
    elif policy is None:
        yield hands, None
    else:
        # It follows nothing here: what others count is added up in it.
        follower = follower_of(subnetwork, policy)
        yield _LedHands(hands, policy, follower), follower


class _LedHands:
    """Hands that follow a policy with each part of the items."""

    def __init__(self, hands: Hands, policy: Policy, follower: Follower) -> None:
        self._hands = hands
        self._policy = policy
        self._follower = follower

    def run(
        self,
        work: Work[P, R],
        items: Items[P],
        job: Job,
        *,
        ordered: bool = False,
        note: Note = lambda _text: None,
        kind: str | None = None,
    ) -> Generator[R]:
        led = _Led(work, self._policy, self._follower.blocks, self._follower.there)
        kind = f"{kind or type(work).__name__} by a policy"
        with closing(self._hands.run(led, items, job, ordered=ordered, note=note, kind=kind)) as all_found:
            for found in all_found:
                if isinstance(found, Tally):
                    self._follower.tally.join(found)
                else:
                    yield found


@dataclass(frozen=True)
class _Led(Generic[P, R]):
    """`work` on a subnetwork that follows a policy; of each part what was skipped, too."""

    work: Work[P, R]
    policy: Policy
    blocks: tuple[int, ...]
    there: tuple[bool, ...]

    def run(self, decoder: Decoder, part: P, job: Job) -> Iterator[R | Tally]:
        follower = Follower(self.policy, self.blocks, self.there)
        with _leading(follower, decoder):
            yield from self.work.run(decoder, part, job)
        yield follower.tally


def follower_of(subnetwork: Subnetwork, policy: Policy) -> Follower:
    there = tuple(Parts.FEED_FORWARD not in lost for lost in subnetwork.lost)
    return Follower(policy, _candidates(subnetwork, policy), there)


@contextmanager
def led_by(follower: Follower, subnetwork: Subnetwork) -> Iterator[None]:
    """Inside, the decoder behaves as `subnetwork`, which `follower` was made for, under its policy."""
    with removed(subnetwork), _leading(follower, subnetwork.decoder):
        yield


@contextmanager
def _leading(follower: Follower, decoder: Decoder) -> Iterator[None]:
    """The same where the decoder behaves as the subnetwork already."""
    with ExitStack() as restore:
        for index in follower.blocks:
            _install(decoder, index, follower, restore)
        restore.enter_context(decoder.heard_by(follower))
        yield


def _candidates(subnetwork: Subnetwork, policy: Policy) -> tuple[int, ...]:
    """The blocks it is about that have what it skips; what stands in for a removed one always runs."""
    depth = subnetwork.decoder.depth
    named = blocks_of(policy)
    if isinstance(policy, FixedSkipping):
        if len(set(named)) < len(named) or named[-1] >= depth:
            raise DepthkitError(
                "INVALID_ARGUMENT",
                f"A policy skips the feed-forwards of the blocks {list(policy.blocks)}: name each once, "
                f"from 0 to {depth - 1}.",
                blocks=list(policy.blocks),
                depth=depth,
            )
    elif not policy.start < policy.end <= depth:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"A policy is about the blocks from {policy.start} (start) up to {policy.end} (end), which is "
            f"none of them: the model has {depth}. Give a start below the end, and an end up to {depth}.",
            start=policy.start,
            end=policy.end,
            depth=depth,
        )
    whole = isinstance(policy, PromptSkipping)
    gone = Parts.BOTH if whole else Parts.FEED_FORWARD
    decoder = subnetwork.decoder
    for index in named:
        if whole or Parts.FEED_FORWARD in decoder.absent[index]:
            require_whole(decoder.blocks[index], decoder.family, index, "A policy skips for some tokens")
    found = tuple(index for index in named if gone not in subnetwork.lost[index])
    if not found:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            "A policy is about units that were all removed: nothing is left for it to skip. Name blocks that "
            "still have theirs, or leave the policy out.",
        )
    return found


def require_teacher_forced(policy: Policy | None, what: str) -> None:
    """Refuse a policy that tells a prompt from what is written, where there is neither."""
    if isinstance(policy, PromptSkipping):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"{what} under a policy of the kind prompt-skipping: it is about reading a prompt and writing "
            "behind it, and here a text is read whole. Ask for generate, solve or profile.",
            kind="prompt-skipping",
        )


def _install(decoder: Decoder, index: int, follower: Follower, restore: ExitStack) -> None:
    block, family = decoder.blocks[index], decoder.family
    *earlier, last = family.feed_forward
    modules = [block.get_submodule(name) for name in family.feed_forward]
    whole = nn.Sequential(*modules) if earlier else modules[0]
    for name, module in zip(family.feed_forward, modules, strict=True):
        restore.callback(setattr, block, name, module)
    for name in earlier:
        setattr(block, name, nn.Identity())
    setattr(block, last, _OnSomeTokens(whole, follower, family))
    hooks = _BlockHooks(decoder, index, follower)
    # The block's own output, before what repairs add behind it.
    behind = block.register_forward_hook(hooks.behind, prepend=True)
    restore.callback(block.register_forward_pre_hook(hooks.in_front, with_kwargs=True).remove)
    restore.callback(behind.remove)
    restore.callback(hooks.close)


class _BlockHooks:
    def __init__(self, decoder: Decoder, index: int, follower: Follower) -> None:
        self._decoder, self._index, self._follower = decoder, index, follower
        self._watching = ExitStack()
        self._x: Tensor | None = None

    def in_front(self, block: nn.Module, positional: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        # What a pass that failed in the middle has left.
        self._watching.close()
        x: Tensor = positional[0] if positional else keywords["hidden_states"]
        self._follower.enter(self._index, x)
        self._x = x if self._follower.whole_blocks else None
        if self._follower.observes:
            split = split_block(block, self._decoder.family, self._decoder.parallel, x)
            self._observed = self._watching.enter_context(split)

    def behind(self, _block: nn.Module, _positional: tuple[Any, ...], output: Any) -> Any:
        y: Tensor = output[0] if isinstance(output, tuple) else output
        if self._follower.observes:
            states = self._observed.states(y)
            self._watching.close()
            self._follower.saw(self._index, states.feed_forward_in, states.feed_forward_out)
        self._follower.leave(self._index)
        if self._x is None:
            return None
        y = torch.where(self._follower.runs[..., None], y, self._x)
        self._x = None
        return (y, *output[1:]) if isinstance(output, tuple) else y

    def close(self) -> None:
        self._watching.close()
