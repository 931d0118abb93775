"""One batch through the repaired subnetwork, forward and backward.

Blocks below the first one that is trained run without gradients. The head runs in slices of positions,
each of them backward as soon as it ran forward, so that logits of a whole batch never exist: what a slice
gives is the gradient of the final states, from which one backward pass goes down through the blocks.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import LongTensor, Tensor, nn
from torch.utils.checkpoint import checkpoint

from depthkit_worker.contract.wire import Objective
from depthkit_worker.data.corpus import Batch, Corpus
from depthkit_worker.models.decoder import Decoder, Replay
from depthkit_worker.models.logits import Reader
from depthkit_worker.models.next_token_loss import IGNORED, cross_entropy, next_tokens, slice_width
from depthkit_worker.repair.training.objective import TopLogits, kl_divergence, relative_error
from depthkit_worker.repair.training.teacher import Taught, Teacher
from depthkit_worker.session.job import Job


@dataclass(frozen=True)
class Trained:
    """What is trained in a live model."""

    parameters: Mapping[str, nn.Parameter]
    """By a name that errors and checkpoints call it by."""
    first: int
    """The lowest block where one of them is."""
    modes: tuple[nn.Module, ...] = ()
    """Modules that work differently in training, such as dropout."""
    head: nn.Parameter | None = None
    """The head's weight, where it is among the parameters. Logits have no other way to one of them that is
    not through the final states."""


@dataclass(frozen=True)
class Counts:
    """Tokens that each part of the objective is a mean over."""

    kl: int = 0
    loss: int = 0
    hidden: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.kl + other.kl, self.loss + other.loss, self.hidden + other.hidden)


class Passes:
    """The objective of a subnetwork that stands in `decoder` already."""

    def __init__(
        self,
        decoder: Decoder,
        corpus: Corpus,
        teacher: Teacher,
        trained: Trained,
        objective: Objective,
        gaps: Sequence[int],
        skip_tokens: int,
        checkpointing: bool,
        job: Job,
        written_only: bool = False,
    ) -> None:
        self._decoder = decoder
        self._corpus = corpus
        self._teacher = teacher
        self._trained = trained
        self._weights = objective
        self._gaps = gaps
        """Blocks whose output is compared with the dense model's."""
        self._skip = skip_tokens
        self._checkpointing = checkpointing
        self._job = job
        self._prompts = corpus.prompt_lengths if written_only else None
        self._reader = Reader("Reading the logits of the model that is trained", decoder.dtype, "sequence")

    def counts(self, sequences: Sequence[int]) -> Counts:
        """What the objective of these sequences is a mean over."""
        starts = self._corpus.starts
        lengths = [starts[number + 1] - starts[number] for number in sequences]
        unread = sum(self._first_read(sequences))
        return Counts(
            sum(lengths) - unread,
            sum(length - 1 for length in lengths) - unread,
            len(self._gaps) * sum(max(0, length - self._skip) for length in lengths),
        )

    def _first_read(self, sequences: Sequence[int]) -> list[int]:
        """Of each sequence, the first position whose logits count: 0, or the last of its prompt, which
        predicts the first token that was written."""
        if self._prompts is None:
            return [0] * len(sequences)
        return [self._prompts[number] - 1 for number in sequences]

    def backward(self, sequences: Sequence[int], counts: Counts) -> float:
        """Add to the gradients what these sequences give, and return their part of an objective that is a
        mean over `counts`."""
        for module in self._trained.modes:
            module.train()
        try:
            with torch.enable_grad(), self._autocast():
                return self._run(sequences, counts, learn=True)
        finally:
            for module in self._trained.modes:
                module.eval()

    def value(self, sequences: Sequence[int], counts: Counts) -> float:
        """The same part of the objective without gradients, and without dropout."""
        with torch.no_grad(), self._autocast():
            return self._run(sequences, counts, learn=False)

    @contextmanager
    def _autocast(self) -> Iterator[None]:
        # Adapters are kept in fp32; beside weights in bf16 a GPU multiplies in bf16.
        half = self._decoder.device.type == "cuda" and self._decoder.dtype is torch.bfloat16
        with torch.autocast(self._decoder.device.type, torch.bfloat16, enabled=half):
            yield

    def _run(self, sequences: Sequence[int], counts: Counts, learn: bool) -> float:
        decoder = self._decoder
        batch = self._corpus.batch_of(sequences)
        taught = self._teacher.read(sequences, batch.lengths.tolist(), decoder.device)
        with torch.no_grad():
            replay = decoder.begin(cast("LongTensor", batch.input_ids.to(decoder.device)))
        final, errors = self._blocks(batch, replay, taught, counts)
        value, gradient = self._head(sequences, batch, replay, taught.top, final, counts, learn)
        if errors is not None:
            value += float(errors.detach())
        if learn:
            roots = [] if gradient is None else [(final, gradient)]
            if errors is not None:
                roots.append((errors, torch.ones_like(errors)))
            torch.autograd.backward([root for root, _ in roots], [start for _, start in roots])
        return value

    def _blocks(
        self, batch: Batch, replay: Replay, taught: Taught, counts: Counts
    ) -> tuple[Tensor, Tensor | None]:
        """The final states, and the part of the objective that is about streams."""
        decoder, first = self._decoder, self._trained.first
        hidden = replay.hidden
        positions = torch.arange(batch.input_ids.shape[1])
        counted = (positions >= self._skip) & (positions < batch.lengths[:, None])
        errors: Tensor | None = None
        head = self._weights.kl > 0 or self._weights.loss > 0
        for index in range(decoder.depth if head else max(self._gaps) + 1):
            self._job.check()
            if index < first:
                with torch.no_grad():
                    hidden = decoder.run_block(index, hidden, replay)
            else:
                hidden = self._block(index, hidden, replay)
            if index in taught.streams:
                relative = relative_error(hidden, taught.streams[index].to(hidden.device))
                error = relative.masked_fill(~counted.to(hidden.device), 0.0).sum()
                error = error * (self._weights.hidden / max(1, counts.hidden))
                errors = error if errors is None else errors + error
        return hidden, errors

    def _block(self, index: int, hidden: Tensor, replay: Replay) -> Tensor:
        decoder = self._decoder
        if not torch.is_grad_enabled():
            return decoder.run_block(index, hidden, replay)
        if self._checkpointing:
            result = checkpoint(decoder.run_block, index, hidden, replay, use_reentrant=False)
        else:
            result = decoder.run_block(index, hidden, replay)
        assert isinstance(result, Tensor)
        if result.requires_grad:
            # The backward pass obeys a cancel between blocks too.
            result.register_hook(self._look)  # type: ignore[no-untyped-call]
        return result

    def _look(self, _gradient: Tensor) -> None:
        self._job.check()

    def _head(
        self,
        sequences: Sequence[int],
        batch: Batch,
        replay: Replay,
        top: TopLogits | None,
        final: Tensor,
        counts: Counts,
        learn: bool,
    ) -> tuple[float, Tensor | None]:
        """The part of the objective that is about logits, and its gradient for the final states."""
        if self._weights.kl == 0 and self._weights.loss == 0:
            return 0.0, None
        decoder = self._decoder
        own = [] if self._trained.head is None else [self._trained.head]
        targets = next_tokens(batch.input_ids, batch.lengths)
        positions = torch.arange(targets.shape[1])
        before = positions < torch.tensor(self._first_read(sequences))[:, None]
        targets = targets.masked_fill(before, IGNORED).to(final.device)
        counted = ((positions < batch.lengths[:, None]) & ~before).to(final.device)
        gradient = torch.zeros_like(final) if learn else None
        width = slice_width(decoder, final)
        values: list[Tensor] = []
        readable: list[Tensor] = []
        for start in range(0, final.shape[1], width):
            self._job.check()
            part = slice(start, start + width)
            states = final[:, part].detach().requires_grad_(learn)
            logits = decoder.logits(states, replay).float()
            total = logits.logsumexp(-1)
            # NaN or infinity anywhere in the vocabulary is in the sum. One look per batch: a look waits.
            readable.append(total.detach().isfinite() | ~counted[:, part])
            value = self._slice(logits, total, targets[:, part], counted[:, part], _part(top, part), counts)
            self._job.check()
            if gradient is not None:
                gradient[:, part], *of_head = torch.autograd.grad(value, [states, *own])
                for parameter, found in zip(own, of_head, strict=True):
                    parameter.grad = found if parameter.grad is None else parameter.grad.add_(found)
            values.append(value.detach())
        self._reader.check_rows(torch.cat(readable, dim=1).flatten(), *_places(sequences, final.shape[1]))
        return float(torch.stack(values).cpu().double().sum()), gradient

    def _slice(
        self,
        logits: Tensor,
        total: Tensor,
        targets: Tensor,
        counted: Tensor,
        top: TopLogits | None,
        counts: Counts,
    ) -> Tensor:
        value = logits.new_zeros(())
        if top is not None:
            divergence = kl_divergence(logits, total, top).masked_fill(~counted, 0.0)
            value = value + divergence.sum() * (self._weights.kl / counts.kl)
        if self._weights.loss > 0:
            value = value + cross_entropy(logits, total, targets).sum() * (self._weights.loss / counts.loss)
        return value


def _places(sequences: Sequence[int], tokens: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sequence and position of each row of logits of a batch, one sequence after the other."""
    return np.repeat(np.asarray(sequences, dtype=np.int64), tokens), np.tile(
        np.arange(tokens), len(sequences)
    )


def _part(top: TopLogits | None, part: slice) -> TopLogits | None:
    if top is None:
        return None
    return TopLogits(top.ids[:, part], top.log_probabilities[:, part], top.rest[:, part])
