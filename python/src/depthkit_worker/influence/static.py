"""Static influence: every metric of every unit, and angular distances, from one pass over a corpus.

cosine: block influence, ShortGPT, arXiv 2403.03853, equation 1; l1, l2, relative-l1, relative-l2: arXiv
2407.16286; angular: arXiv 2403.17887. A low value marks the unit to remove first. x_out of the last block
is the residual stream before the final norm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import LongTensor, Tensor

from depthkit_worker.contract.wire import InfluenceMetric, InfluenceOptions, UnitKind
from depthkit_worker.data.corpus import Batch, Corpus
from depthkit_worker.errors import DepthkitError
from depthkit_worker.influence.angular import angular_distances, by_span, cosine_sums
from depthkit_worker.influence.moments import Moments
from depthkit_worker.influence.per_token import METRICS, token_influences
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.devices import where_fp64_is
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.corpus_rows import sequences_of
from depthkit_worker.subnetworks.hands import Hands, OwnDevice


@dataclass(frozen=True)
class Influence:
    """Static influence of every unit of a decoder."""

    values: Tensor
    """fp64 (kinds, metrics, depth): mean over the tokens counted."""
    standard_errors: Tensor
    """fp64, as `values`: of the mean of the sequences' means. NaN where there is one sequence only."""
    angular: Tensor
    """fp64 (depth, depth): [n - 1, l] for the span of n blocks from block l; 0 where there is none."""
    cosines: Tensor | None
    """fp64 (depth + 1, depth + 1): mean cosine between the stream at two boundaries over the tokens counted;
    None where it was not asked for."""
    sequences: int
    """Sequences with tokens that count."""
    tokens: int
    """Tokens counted."""
    kinds: tuple[UnitKind, ...] = UNIT_KINDS
    metrics: tuple[InfluenceMetric, ...] = METRICS


@dataclass(frozen=True)
class _OfBatch:
    sums: Tensor
    """fp64 (kinds, metrics, depth, batch): over the counted tokens of each sequence."""
    counts: Tensor
    """int64 (batch,): those tokens."""
    angular: Tensor
    """fp64 (depth + 1, depth + 1): summed over `angular_tokens`."""
    angular_tokens: int
    cosines: Tensor | None
    """fp64, as `angular`: summed over the counted tokens."""


@dataclass(frozen=True)
class StaticSums:
    """What single batches of a corpus add to the influence."""

    options: InfluenceOptions

    def run(self, decoder: Decoder, part: Corpus, job: Job) -> Iterator[_OfBatch]:
        options = self.options
        for batch in part.batches(options.batch_size):
            counted = _counted(batch, options.skip_first_tokens)
            angular_at = _last(counted) if options.angular_tokens == "last" else counted
            sums, states = _run(decoder, batch, counted, counted if options.cosines else angular_at, job)
            _check_finite(sums)
            cosines = None
            if options.cosines:
                cosines = cosine_sums(states).cpu()
                states = states[:, angular_at[counted].to(states.device)]
            angular = angular_distances(states).cpu()
            yield _OfBatch(sums, counted.sum(1), angular, int(angular_at.sum()), cosines)


def static_influence(
    decoder: Decoder, corpus: Corpus, options: InfluenceOptions, job: Job, hands: Hands | None = None
) -> Influence:
    """Measure `decoder` on `corpus`, as it stands; or the subnetwork of `hands`. The output head is not run,
    and what is kept does not grow with the corpus."""
    moments = Moments((len(UNIT_KINDS), len(METRICS), decoder.depth))
    pairs = torch.zeros(decoder.depth + 1, decoder.depth + 1, dtype=torch.float64)
    cosines = torch.zeros_like(pairs)
    angular_count = done = 0
    items = sequences_of(corpus, options.batch_size)
    # In order, so that the sums are the same whoever did which part.
    for found in (hands or OwnDevice(decoder)).run(StaticSums(options), items, job, ordered=True):
        moments.add(found.sums, found.counts)
        pairs += found.angular
        angular_count += found.angular_tokens
        if found.cosines is not None:
            cosines += found.cosines
        done += len(found.counts)
        job.report("influence", done, corpus.sequences, "sequences")
    if moments.tokens == 0:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"No token is left to measure: skipFirstTokens is {options.skip_first_tokens} and the longest "
            f"sequence has {corpus.length} tokens. Skip fewer.",
            skipFirstTokens=options.skip_first_tokens,
            length=corpus.length,
        )
    return Influence(
        values=moments.mean(),
        standard_errors=moments.standard_error(),
        angular=by_span(pairs / angular_count),
        cosines=cosines / moments.tokens if options.cosines else None,
        sequences=moments.sequences,
        tokens=moments.tokens,
    )


@torch.no_grad()
def _run(decoder: Decoder, batch: Batch, counted: Tensor, seen_at: Tensor, job: Job) -> tuple[Tensor, Tensor]:
    """Sums over the counted tokens of each sequence, fp64 (kinds, metrics, depth, batch) on CPU, and the
    residual stream at every depth for the tokens `seen_at`, (depth + 1, tokens, hidden)."""
    replay = decoder.begin(cast("LongTensor", batch.input_ids.to(decoder.device)))
    hidden = replay.hidden
    states = [where_fp64_is(hidden[seen_at.to(hidden.device)])]
    sums: list[Tensor] = []
    for index in range(decoder.depth):
        job.check()
        block = decoder.run_block_split(index, hidden, replay)
        influences = token_influences(block)
        # Not a product with the mask: it would let a pad's NaN or infinity through.
        kept = torch.where(counted.to(influences.device), influences, 0.0)
        sums.append(kept.sum(-1))
        hidden = block.x_out
        states.append(where_fp64_is(hidden[seen_at.to(hidden.device)]))
    # Moved once per batch, so that the device is not waited for after every block.
    return torch.stack([part.cpu() for part in sums], dim=2), torch.stack(
        [state.to(states[-1].device) for state in states]
    )


def _counted(batch: Batch, skip_first: int) -> Tensor:
    """Which tokens count, (batch, sequence): no pads, and not the first ones of a sequence."""
    positions = torch.arange(batch.input_ids.shape[1])
    return (positions >= skip_first) & (positions < batch.lengths[:, None])


def _last(counted: Tensor) -> Tensor:
    """The last of each sequence's counted tokens, (batch, sequence)."""
    return counted & ~torch.nn.functional.pad(counted[:, 1:], (0, 1))


def _check_finite(sums: Tensor) -> None:
    """`sums`: (kinds, metrics, depth, batch)."""
    broken = ~sums.isfinite().all(dim=3).all(dim=1)
    for index in range(sums.shape[2]):
        # In the order the units run, so that the one named is where the trouble starts.
        for kind in ("attention", "feed-forward", "block"):
            if broken[UNIT_KINDS.index(kind), index]:
                unit = Unit(kind, index)
                raise DepthkitError(
                    "NOT_MEASURABLE",
                    f"The influence of {unit} is not a finite number, and no unit before it has that fault. "
                    "Look for NaN or infinity in its weights, or load the model in a wider dtype.",
                    unit=str(unit),
                )
