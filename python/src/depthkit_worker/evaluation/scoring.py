"""Cross entropy of next tokens, block by block and in slices that bound the memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import LongTensor, Tensor

from depthkit_worker.data.corpus import Batch, Corpus
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder, Replay
from depthkit_worker.session.job import Job

IGNORED = -100
"""In the place of a target: nothing is predicted here."""
SLICE_BYTES = 1 << 26
"""How much fp32 logits may take at a time; a whole batch can need gigabytes."""


@dataclass(frozen=True)
class CorpusLoss:
    """Mean next-token cross entropy over a corpus."""

    loss: float
    """In nats; over all tokens but the first of each sequence, all tokens alike."""
    tokens: int
    """Tokens predicted."""


def corpus_loss(decoder: Decoder, corpus: Corpus, job: Job, *, batch_size: int = 1) -> CorpusLoss:
    """The loss of `decoder`, as it stands, on `corpus`. Pads are neither predicted nor counted."""
    total = 0.0
    tokens = done = 0
    for batch in corpus.batches(batch_size):
        targets = next_tokens(batch)
        total += float(score(decoder, batch.input_ids, targets, job).sum())
        tokens += int((targets != IGNORED).sum())
        done += len(batch.lengths)
        job.report("loss", done, corpus.sequences, "sequences")
    return CorpusLoss(finite(total / tokens, "loss"), tokens)


def next_tokens(batch: Batch) -> Tensor:
    """What each position predicts, (batch, sequence): the token behind it, or `IGNORED`."""
    targets = batch.input_ids.roll(-1, 1)
    positions = torch.arange(targets.shape[1])
    return targets.masked_fill(positions >= batch.lengths[:, None] - 1, IGNORED)


@torch.no_grad()
def score(decoder: Decoder, input_ids: Tensor, targets: Tensor, job: Job) -> Tensor:
    """Cross entropy in nats of `targets` (batch, sequence), what each position of `input_ids` predicts:
    fp64 (batch, sequence) on CPU, 0 where the target is `IGNORED`."""
    replay = decoder.begin(cast("LongTensor", input_ids.to(decoder.device)))
    hidden = replay.hidden
    for index in range(decoder.depth):
        job.check()
        hidden = decoder.run_block(index, hidden, replay)
    return _cross_entropy(decoder, hidden, replay, targets, job)


def _cross_entropy(decoder: Decoder, hidden: Tensor, replay: Replay, targets: Tensor, job: Job) -> Tensor:
    losses = torch.zeros(targets.shape, dtype=torch.float64)
    positions = (targets != IGNORED).any(0).nonzero().flatten().tolist()
    if not positions:
        return losses
    # Only the stretch that is scored goes through the head: with a small stride most of it is not.
    first, end = positions[0], positions[-1] + 1
    width = max(1, SLICE_BYTES // (4 * decoder.vocabulary_size * targets.shape[0]))
    for start in range(first, end, width):
        job.check()
        part = slice(start, min(start + width, end))
        losses[:, part] = _token_losses(decoder.logits(hidden[:, part], replay), targets[:, part])
    return losses


def _token_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """log sum exp(logits) - logits[target], fp64 (batch, sequence) on CPU. The exponentials are fp32
    whatever the dtype of `logits`; the last step is fp64, since fp32 has 1e-6 left of a loss of 10."""
    wide = logits.float()
    targets = targets.to(wide.device)
    ignored = targets == IGNORED
    target = wide.gather(-1, targets.masked_fill(ignored, 0)[..., None]).squeeze(-1)
    highest = wide.amax(-1, keepdim=True)
    sums = (wide - highest).exp_().sum(-1)
    highest, sums, target = (part.cpu().double() for part in (highest.squeeze(-1), sums, target))
    return (highest + sums.log() - target).masked_fill(ignored.cpu(), 0.0)


def finite(value: float, what: str) -> float:
    """`value`, when it can be told to somebody."""
    if value != value or value in (float("inf"), float("-inf")):
        raise DepthkitError(
            "NOT_MEASURABLE",
            f"The {what} is {value}. The logits hold NaN or infinity, or are too far from the text for a "
            "number to say so. Look for broken weights, load the model in a wider dtype, or remove less.",
            value=str(value),
        )
    return value
