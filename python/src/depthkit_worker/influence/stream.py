"""What the residual stream is like in front of every block and behind the last one: how far its numbers
spread, and how many directions its tokens take up. By the sequence, so that errors are over sequences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast, get_args

import torch
from torch import LongTensor, Tensor

from depthkit_worker.contract.wire import StreamMeasure, StreamOptions
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.errors import DepthkitError
from depthkit_worker.influence.coding_rate import centred, coding_rate, largest_rate
from depthkit_worker.influence.moments import Moments
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.devices import in_fp64
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.corpus_rows import sequences_of
from depthkit_worker.subnetworks.hands import Hands, OwnDevice

MEASURES: tuple[StreamMeasure, ...] = get_args(StreamMeasure)


@dataclass(frozen=True)
class StreamMeasures:
    values: Tensor
    """fp64 (measures, depth + 1): means of the sequences' values."""
    standard_errors: Tensor
    """fp64, as `values`. NaN where there is one sequence only."""
    bound: float
    """The largest coding rate there can be, mean over sequences."""
    sequences: int
    """Sequences with a token that counts."""
    tokens: int
    """Tokens counted."""
    measures: tuple[StreamMeasure, ...] = MEASURES


@dataclass(frozen=True)
class _OfBatch:
    values: Tensor
    """fp64 (measures, depth + 1, batch)"""
    counts: Tensor
    """int64 (batch,): tokens that count."""


@dataclass(frozen=True)
class StreamValues:
    """Every sequence's own values, a batch at a time."""

    options: StreamOptions

    def run(self, decoder: Decoder, part: Corpus, job: Job) -> Iterator[_OfBatch]:
        skip = self.options.skip_first_tokens
        for batch in part.batches(self.options.batch_size):
            with torch.no_grad():
                replay = decoder.begin(cast("LongTensor", batch.input_ids.to(decoder.device)))
                hidden = replay.hidden
                values = [_values(hidden, batch.lengths, skip)]
                for index in range(decoder.depth):
                    job.check()
                    hidden = decoder.run_block(index, hidden, replay)
                    values.append(_values(hidden, batch.lengths, skip))
            found = torch.stack(values, dim=1)
            _check_finite(found)
            yield _OfBatch(found, (batch.lengths - skip).clamp(min=0))


def stream_measures(
    decoder: Decoder, corpus: Corpus, options: StreamOptions, job: Job, hands: Hands | None = None
) -> StreamMeasures:
    """Measure the stream of `decoder` on `corpus`, as it stands; or that of the subnetwork of `hands`."""
    moments = Moments((len(MEASURES), decoder.depth + 1))
    bound, tokens, done, skip = 0.0, 0, 0, options.skip_first_tokens
    items = sequences_of(corpus, options.batch_size)
    for found in (hands or OwnDevice(decoder)).run(StreamValues(options), items, job, ordered=True):
        counts = found.counts
        # A sequence is one value, however many its tokens.
        moments.add(found.values, (counts > 0).long())
        bound += sum(largest_rate(decoder.hidden_size, int(count)) for count in counts if count > 0)
        tokens += int(counts.sum())
        done += len(counts)
        job.report("stream", done, corpus.sequences, "sequences")
    if moments.sequences == 0:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"No token is left to measure: skipFirstTokens is {skip} and the longest sequence has "
            f"{corpus.longest} tokens. Skip fewer.",
            skipFirstTokens=skip,
            length=corpus.longest,
        )
    return StreamMeasures(
        values=moments.mean(),
        standard_errors=moments.standard_error(),
        bound=bound / moments.sequences,
        sequences=moments.sequences,
        tokens=tokens,
    )


def _values(hidden: Tensor, lengths: Tensor, skip: int) -> Tensor:
    """Every measure of each sequence at one boundary, fp64 (measures, batch) on CPU; 0 of one without a token
    that counts."""
    rows = []
    for row, length in enumerate(lengths.tolist()):
        counted = in_fp64(hidden[row, skip:length])
        if len(counted) == 0:
            rows.append(torch.zeros(len(MEASURES), dtype=torch.float64))
            continue
        variance = counted.var(-1, correction=0).mean()
        rows.append(torch.stack([variance, coding_rate(centred(counted))]).cpu())
    return torch.stack(rows, dim=1)


def _check_finite(found: Tensor) -> None:
    """`found`: (measures, depth + 1, batch)."""
    broken = ~found.isfinite().all(dim=2).all(dim=0)
    if bool(broken.any()):
        index = int(broken.nonzero()[0])
        raise DepthkitError(
            "NOT_MEASURABLE",
            f"The stream at boundary {index} (in front of block {index}, or behind the last one) is not "
            "finite, and no boundary before it has that fault. Look for NaN or infinity in the weights, or "
            "load the model in a wider dtype.",
            boundary=index,
        )
