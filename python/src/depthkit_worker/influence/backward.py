"""Gradients of the next-token loss on the way back through a decoder, in pieces that memory bears."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from depthkit_worker.models.decoder import Decoder, Replay
from depthkit_worker.models.logits import Reader
from depthkit_worker.models.next_token_loss import cross_entropy, slice_width
from depthkit_worker.models.stand_ins import OnlyUpdates
from depthkit_worker.session.job import Job


def head_gradient(
    decoder: Decoder,
    reader: Reader,
    replay: Replay,
    final: Tensor,
    targets: Tensor,
    sequences: Sequence[int],
    job: Job,
) -> tuple[float, Tensor]:
    """The summed loss of a batch, and its gradient for `final`, the stream behind the last block, (batch,
    sequence, hidden). `targets`, (batch, sequence): what each position predicts; `sequences`: numbers for
    errors."""
    at, final = final.device, final.to(decoder.device)  # where the head is
    gradient = torch.zeros_like(final)
    targets, loss = targets.to(final.device), 0.0
    width = slice_width(decoder, final)
    for start in range(0, final.shape[1], width):
        job.check()
        part = slice(start, start + width)
        states = final[:, part].detach().requires_grad_(True)
        with torch.enable_grad():
            logits = decoder.logits(states, replay)
            reader.check(logits, sequences, start)
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            value = cross_entropy(logits, logits.logsumexp(-1), targets[:, part]).sum()
            (gradient[:, part],) = torch.autograd.grad(value, states)
        loss += float(value.detach())
    return loss, gradient.to(at)


@contextmanager
def middle_of(decoder: Decoder, index: int) -> Iterator[list[Tensor]]:
    """Inside, the stream between the sublayers of the block is listed as it runs: the very tensor that all
    above is computed from, so that its gradient is whole. In parallel wiring there is none."""
    found: list[Tensor] = []

    def see(_module: nn.Module, positional: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        found.append(positional[0] if positional else keywords["hidden_states"])

    block = decoder.blocks[index]
    if decoder.parallel or isinstance(block, OnlyUpdates):
        yield found
        return
    handle = block.get_submodule(decoder.family.after_attention)
    hook = handle.register_forward_pre_hook(see, with_kwargs=True)
    try:
        yield found
    finally:
        hook.remove()
