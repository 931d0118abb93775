"""The fold by a cosine objective, ReplaceMe's second form (arXiv 2505.02819), lowered by Adam from the map of
least squares.

It has no closed form and no sums that it could be had from, so the streams of some tokens are kept: as many
as asked for, drawn by the seed from the whole corpus, whatever the batches are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from depthkit_worker.contract.wire import FoldDescent, FoldDescentReport, FoldObjective
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.errors import DepthkitError
from depthkit_worker.repair.gap_streams import Tokens
from depthkit_worker.repair.gaps import Gap
from depthkit_worker.repair.host_sums import HostSums
from depthkit_worker.repair.least_squares import GapRegression, Read
from depthkit_worker.repair.ridge_regression import Affine
from depthkit_worker.repair.training.order import Order
from depthkit_worker.session.job import Job

MEASURED = 4096
"""Tokens at a time where nothing is trained."""


def kept_tokens(corpus: Corpus, skip: int, descent: FoldDescent) -> Tensor:
    """Which of the corpus's tokens behind the first `skip` of each sequence are kept: bool, in order."""
    lengths = [len(corpus.row(number)) for number in range(corpus.sequences)]
    total = sum(max(0, length - skip) for length in lengths)
    if total <= descent.tokens:
        return torch.ones(total, dtype=torch.bool)
    drawn = torch.randperm(total, generator=torch.Generator().manual_seed(descent.seed))[: descent.tokens]
    return torch.zeros(total, dtype=torch.bool).index_fill_(0, drawn, True)


@dataclass(frozen=True)
class Streams:
    """Of the tokens kept, each (tokens, hidden) and on the CPU."""

    fed: Tensor
    """F, what the feed-forward before the gap adds."""
    aim: Tensor
    """What F T + b, with `beside` added to it, shall point along."""
    beside: Tensor | None

    def take(self, rows: Tensor | slice, device: torch.device) -> Streams:
        beside = None if self.beside is None else self.beside[rows].to(device)
        return Streams(self.fed[rows].to(device), self.aim[rows].to(device), beside)


def cosine_objective(streams: Streams, turn: Tensor, bias: Tensor) -> Tensor:
    """Mean over tokens of 1 - cos; `turn` is T, (hidden, hidden)."""
    made = streams.fed @ turn + bias
    if streams.beside is not None:
        made = made + streams.beside
    return 1 - cosine_similarity(made, streams.aim, dim=1).mean()


class KeptStreams(GapRegression):
    """The sums of a gap, for its start and its errors, and the streams of the tokens kept."""

    def __init__(
        self,
        gap: Gap,
        read: Read,
        choosing: bool,
        host: HostSums | None,
        objective: FoldObjective,
        kept: Tensor,
    ) -> None:
        super().__init__(gap, read, choosing, host)
        self._reads = read
        self._along_stream = objective == "stream-cosine"
        self._kept = kept
        self._seen = 0
        self._parts: list[Streams] = []

    def add(self, x_in: Tensor, x_out: Tensor, tokens: Tokens) -> None:
        super().add(x_in, x_out, tokens)
        counted = tokens.rest.to(x_in.device)
        front, behind, fed = (
            state[counted].to(torch.promote_types(state.dtype, torch.float32))
            for state in (x_in, x_out, self._reads(x_in))
        )
        kept = self._kept[self._seen : self._seen + len(fed)].to(fed.device)
        self._seen += len(fed)
        front, behind, fed = front[kept], behind[kept], fed[kept]
        if self._along_stream:
            self._parts.append(Streams(fed.cpu(), behind.cpu(), (front - fed).cpu()))
        else:
            self._parts.append(Streams(fed.cpu(), (behind - front + fed).cpu(), None))

    def streams(self) -> Streams:
        parts = self._parts
        beside = [part.beside for part in parts if part.beside is not None]
        return Streams(
            torch.cat([part.fed for part in parts]),
            torch.cat([part.aim for part in parts]),
            torch.cat(beside) if beside else None,
        )


def descend(
    kept: KeptStreams, start: Affine, descent: FoldDescent, job: Job
) -> tuple[Affine, FoldDescentReport]:
    """The map that Adam makes of `start`; `start` itself where the objective over all tokens kept is no
    lower."""
    streams, device = kept.streams(), kept.device
    hidden = streams.fed.shape[1]
    identity = torch.eye(hidden, dtype=torch.float64)
    matrix = identity if start.matrix is None else identity + start.matrix.cpu()
    dtype = streams.fed.dtype
    turn, bias = matrix.to(device, dtype), start.bias.to(device, dtype)
    before = _measured(streams, turn, bias, kept.gap, device, job)
    trained = [value.clone().requires_grad_() for value in (turn, bias)]
    optimiser = torch.optim.Adam(trained, lr=descent.learning_rate)
    for step, rows in enumerate(_batches(len(streams.fed), descent)):
        job.check()
        optimiser.param_groups[0]["lr"] = descent.learning_rate * (1 - step / descent.steps)
        optimiser.zero_grad()
        with torch.enable_grad():
            cosine_objective(streams.take(rows, device), *trained).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        job.report("fold", step + 1, descent.steps, "steps")
    after = _measured(streams, trained[0].detach(), trained[1].detach(), kept.gap, device, job)
    better = after < before
    report = FoldDescentReport(
        before=before, after=after if better else before, steps=descent.steps, tokens=len(streams.fed)
    )
    if not better:
        return start, report
    found = trained[0].detach().cpu().double() - identity
    return Affine(found, trained[1].detach().cpu().double()), report


def _batches(tokens: int, descent: FoldDescent) -> Iterator[Tensor]:
    """Rows of each step: all tokens in an order of the seed, then again in another."""
    order, size = Order(tokens, descent.seed), min(descent.batch_tokens, tokens)
    for step in range(descent.steps):
        yield torch.tensor(order.take(step * size, size))


@torch.no_grad()
def _measured(
    streams: Streams, turn: Tensor, bias: Tensor, gap: Gap, device: torch.device, job: Job
) -> float:
    """Over all tokens kept."""
    total = 0.0
    for first in range(0, len(streams.fed), MEASURED):
        job.check()
        part = streams.take(slice(first, first + MEASURED), device)
        total += float(cosine_objective(part, turn, bias)) * len(part.fed)
    value = total / len(streams.fed)
    if not value < float("inf"):
        names = ", ".join(str(unit) for unit in gap.units)
        raise DepthkitError(
            "NOT_MEASURABLE",
            f"Folding {names} by a cosine objective: it is {value} over the corpus. Lower the learning rate "
            "of descent, or load the model in a wider dtype.",
            units=[str(unit) for unit in gap.units],
        )
    return value
