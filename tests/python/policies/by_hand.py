"""Policies in the form of docs/methods.md: every feed-forward is computed for every token, and left out of
the stream where the policy skips it."""

from __future__ import annotations

import torch
from torch import LongTensor, Tensor

from depthkit_worker.contract.wire import FeedForwardSkipping, RandomSkipping
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.split import BlockStates
from depthkit_worker.policies.decisions import decisions_of


def by_cosine(decoder: Decoder, ids: LongTensor, policy: FeedForwardSkipping) -> tuple[Tensor, Tensor]:
    """Logits (batch, sequence, vocabulary), and which feed-forwards were skipped: bool (depth, batch,
    sequence)."""
    replay = decoder.begin(ids)
    hidden = replay.hidden
    left = torch.zeros(ids.shape, dtype=torch.int64)
    warm = torch.arange(ids.shape[1]).expand(ids.shape) < policy.warm_up
    skipped = torch.zeros((decoder.depth, *ids.shape), dtype=torch.bool)
    for index in range(decoder.depth):
        states = decoder.run_block_split(index, hidden, replay)
        if not policy.start <= index < policy.end:
            hidden = states.x_out
            continue
        run = (left == 0) | warm
        skipped[index] = ~run
        hidden = torch.where(run[..., None], states.x_out, states.attention_out)
        cosine = _cosine(states)
        left = (left - 1).clamp(min=0)
        left[run & (cosine >= policy.threshold)] = policy.run
    return decoder.logits(hidden, replay), skipped


def _cosine(states: BlockStates) -> Tensor:
    return torch.nn.functional.cosine_similarity(states.feed_forward_in, states.feed_forward_out, dim=-1)


def by_lot(decoder: Decoder, ids: LongTensor, policy: RandomSkipping) -> tuple[Tensor, Tensor]:
    """The same of random skips."""
    decisions = decisions_of(policy)
    positions = torch.arange(ids.shape[1]).expand(ids.shape)
    decisions.begin(positions, torch.zeros_like(positions, dtype=torch.bool))
    replay = decoder.begin(ids)
    hidden = replay.hidden
    skipped = torch.zeros((decoder.depth, *ids.shape), dtype=torch.bool)
    for index in range(decoder.depth):
        states = decoder.run_block_split(index, hidden, replay)
        if policy.start <= index < policy.end:
            skipped[index] = ~decisions.runs(index)
        hidden = torch.where(skipped[index][..., None], states.attention_out, states.x_out)
    return decoder.logits(hidden, replay), skipped


def replayed(decoder: Decoder, ids: LongTensor) -> Tensor:
    """Logits by the decoder's replay, as it stands."""
    replay = decoder.begin(ids)
    hidden = replay.hidden
    for index in range(decoder.depth):
        hidden = decoder.run_block(index, hidden, replay)
    return decoder.logits(hidden, replay)


def middling(decoder: Decoder, ids: LongTensor) -> float:
    """A threshold that about half of all feed-forwards reach."""
    replay = decoder.begin(ids)
    hidden = replay.hidden
    found = []
    for index in range(decoder.depth):
        states = decoder.run_block_split(index, hidden, replay)
        hidden = states.x_out
        found.append(_cosine(states))
    # Between two of them, so that rounding decides nothing.
    ordered = torch.cat([one.flatten() for one in found]).sort().values
    middle = len(ordered) // 2
    gaps = ordered[middle : middle + 16].diff()
    place = middle + int(gaps.argmax())
    return float((ordered[place] + ordered[place + 1]) / 2)
