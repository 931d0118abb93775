"""The stream in front of every gap and behind it, batch after batch: one pass over a corpus, nothing kept.

With the dense reference the streams are those of the whole model, and one pass serves all gaps. With the
pruned one a gap sees the stream of the model that is already pruned and repaired below it, so that every
gap takes a pass of its own, up to its own height: keeping the states of all sequences instead would take
memory that grows with the corpus.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, cast

import torch
from torch import LongTensor, Tensor

from depthkit_worker.contract.wire import RepairReference
from depthkit_worker.data.corpus import Batch
from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.batch_sizes import batch_sequences
from depthkit_worker.models.decoder import Decoder, Replay
from depthkit_worker.repair.fitting import Base, Fill
from depthkit_worker.repair.gaps import Gap
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork

STATES = 4
"""Of the stream, that live beside a block's own: at both ends of a gap, and the copies a statistic makes."""


@dataclass(frozen=True)
class Tokens:
    """Which tokens of a batch count, both (batch, sequence). Pads are in neither."""

    rest: Tensor
    first: Tensor
    """The first ones of each sequence, kept apart."""


class Statistic(Protocol):
    """What is gathered at one gap."""

    def add(self, x_in: Tensor, x_out: Tensor, tokens: Tokens) -> None:
        """The stream in front of the gap and behind it, both (batch, sequence, hidden)."""


S = TypeVar("S", bound=Statistic)


def fit_gaps(
    base: Base,
    gaps: Sequence[Gap],
    reference: RepairReference,
    watch: Callable[[Gap], S],
    fill: Callable[[Gap, S], Fill],
    job: Job,
) -> list[tuple[Fill, S]]:
    """What `fill` makes of the statistics of each gap, from the bottom up."""
    _check_tokens(base)
    if reference == "dense":
        watched = {gap: watch(gap) for gap in gaps}
        _observe(base, watched, job, 0, 1)
        return [(fill(gap, statistic), statistic) for gap, statistic in watched.items()]
    fitted: list[tuple[Fill, S]] = []
    for number, gap in enumerate(gaps):
        statistic = watch(gap)
        with _pruned_below(base, gap, [done for done, _ in fitted]):
            _observe(base, {gap: statistic}, job, number, len(gaps))
        fitted.append((replace(fill(gap, statistic), base=_digests_below(base, gap)), statistic))
    return fitted


@torch.no_grad()
def _observe(base: Base, watched: Mapping[Gap, Statistic], job: Job, done_before: int, passes: int) -> None:
    """One pass over the corpus through the model as it stands, as high as the highest gap."""
    corpus = base.corpus
    size = base.options.batch_size or batch_sequences(base.decoder, corpus, STATES, None)
    done = done_before * corpus.sequences
    for batch in corpus.batches(size):
        replay = base.decoder.begin(cast("LongTensor", batch.input_ids.to(base.decoder.device)))
        _climb(base.decoder, replay, watched, _tokens(batch, base.options.skip_tokens), job)
        done += len(batch.lengths)
        job.report("repair", done, passes * corpus.sequences, "sequences")


def _climb(
    decoder: Decoder, replay: Replay, watched: Mapping[Gap, Statistic], tokens: Tokens, job: Job
) -> None:
    hidden = replay.hidden
    fronts: dict[int, Tensor] = {}
    sublayers = {(gap.kind, gap.first): gap for gap in watched if gap.kind != "block"}
    runs = [gap for gap in watched if gap.kind == "block"]
    for index in range(max(gap.last for gap in watched) + 1):
        job.check()
        hidden = decoder.at(index, hidden)
        if any(gap.first == index for gap in runs):
            fronts[index] = hidden
        attention = sublayers.get(("attention", index))
        feed_forward = sublayers.get(("feed-forward", index))
        if attention or feed_forward:
            states = decoder.run_block_split(index, hidden, replay)
            hidden = states.x_out
            if attention:
                watched[attention].add(states.x_in, states.attention_out, tokens)
            if feed_forward:
                watched[feed_forward].add(states.feed_forward_in, states.feed_forward_out, tokens)
        else:
            hidden = decoder.run_block(index, hidden, replay)
        for gap in runs:
            if gap.last == index:
                front = fronts[gap.first]
                watched[gap].add(front, hidden.to(front.device), tokens)
        for first in [
            first for first in fronts if not any(gap.first == first and gap.last > index for gap in runs)
        ]:
            del fronts[first]


@contextmanager
def _pruned_below(base: Base, gap: Gap, fills: Sequence[Fill]) -> Iterator[None]:
    """Inside, the model is as the subnetwork with its repairs is below the gap, and whole from there on."""
    units = tuple(unit for unit in base.subnetwork.units if unit.index < gap.first)
    made = [Repair("", (), fill.edits, "") for fill in fills]
    # Cut to what lies below: a repair of the whole model names units that are still there.
    repairs = (
        Repair(each.method, (), _edits_below(each, gap), "") for each in (*base.subnetwork.repairs, *made)
    )
    with removed(Subnetwork(base.decoder, units, tuple(repairs))):
        yield


def _edits_below(repair: Repair, gap: Gap) -> dict[int, BlockEdit]:
    edits = {index: edit for index, edit in repair.edits.items() if index < gap.first}
    if gap.kind != "block" and gap.first in repair.edits:
        # The sublayer that stays may be changed; what fills the gap itself is yet to come.
        here = repair.edits[gap.first]
        edits[gap.first] = BlockEdit(before=here.before, weights=here.weights)
    return edits


def _digests_below(base: Base, gap: Gap) -> tuple[str, ...]:
    return tuple(repair.digest for repair in base.subnetwork.repairs if _edits_below(repair, gap))


def _tokens(batch: Batch, skip: int) -> Tokens:
    positions = torch.arange(batch.input_ids.shape[1])
    there = positions < batch.lengths[:, None]
    return Tokens(there & (positions >= skip), there & (positions < skip))


def _check_tokens(base: Base) -> None:
    starts = base.corpus.starts
    longest = max(end - start for start, end in itertools.pairwise(starts))
    if base.options.skip_tokens >= longest:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"No token is left to fit a repair to: skipTokens is {base.options.skip_tokens} and the longest "
            f"sequence has {longest} tokens. Skip 0 to {longest - 1}, or make a corpus of longer sequences.",
            skipTokens=base.options.skip_tokens,
            length=longest,
        )
