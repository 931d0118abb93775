"""The stream in front of every gap and behind it, batch after batch.

With the dense reference the streams are those of the whole model, and one pass serves all gaps. With the
pruned one a gap sees the stream of the model that is already pruned and repaired below it, so that every
gap takes a pass of its own, up to its own height. It begins where the last gap does, as long as the stream
there of all sequences is small; else at the first block, so that memory does not grow with the corpus.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, Protocol, Self, TypeVar, cast

import torch
from torch import LongTensor, Tensor

from depthkit_worker.contract.wire import RepairReference
from depthkit_worker.data.corpus import Batch, Corpus
from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.batch_sizes import batch_sequences
from depthkit_worker.models.decoder import Decoder, Replay
from depthkit_worker.policies.follow import at_work
from depthkit_worker.repair.fitting import Base, Fill
from depthkit_worker.repair.gaps import Gap
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.corpus_rows import sequences_of
from depthkit_worker.subnetworks.hands import Items
from depthkit_worker.subnetworks.subnetwork import Subnetwork

STATES = 4
"""Of the stream, that live beside a block's own: at both ends of a gap, and the copies a statistic makes."""


KEPT_BYTES = 1 << 28
"""Of the stream of all sequences in front of one gap, in main memory."""


@dataclass(frozen=True)
class Tokens:
    """Which tokens of a batch count, both (batch, sequence). Pads are in neither."""

    rest: Tensor
    first: Tensor
    """The first ones of each sequence, kept apart."""
    numbers: Tensor
    """int64 (batch,): the sequences' places in the corpus."""


class Statistic(Protocol):
    """What is gathered at one gap."""

    def add(self, x_in: Tensor, x_out: Tensor, tokens: Tokens) -> None:
        """The stream in front of the gap and behind it, both (batch, sequence, hidden)."""

    def join(self, other: Self) -> None:
        """Take in what was gathered of later sequences."""

    def move(self, device: torch.device) -> None:
        """To where the stream in front of the gap is. Elsewhere gathered it comes by the processor."""


S = TypeVar("S", bound=Statistic)
Around = Callable[[Decoder], AbstractContextManager[object]]
"""What a decoder is put into while statistics are gathered."""


def fit_gaps(
    base: Base,
    gaps: Sequence[Gap],
    reference: RepairReference,
    watch: Callable[[Sequence[Gap]], dict[Gap, S]],
    fill: Callable[[Gap, S], Fill],
    job: Job,
    *,
    around: Around = nullcontext,
    gap_bytes: int = 0,
) -> list[tuple[Fill, S]]:
    """What `fill` makes of the statistics that `watch` gathers of each gap, from the bottom up. `watch` and
    `around` may travel to other machines, so they hold nothing of the decoder; `gap_bytes`: what a statistic
    weighs then."""
    _check_tokens(base)
    size = base.options.batch_size or batch_sequences(base.decoder, base.corpus, STATES, None)

    # What is put around a decoder may look at any block.
    fronts = Fronts() if reference == "pruned" and around is nullcontext and _can_keep(base) else None

    def observed(subnetwork: Subnetwork, watched: Sequence[Gap], number: int, passes: int) -> dict[Gap, S]:
        work = GapSums(tuple(watched), watch, around, size, base.options.skip_tokens, fronts)
        items = _sequences(base.corpus, size, len(watched) * gap_bytes)
        return _observe(base, subnetwork, work, items, job, (number, passes))

    if reference == "dense":
        found = observed(Subnetwork.dense(base.decoder), gaps, 0, 1)
        return [(fill(gap, found[gap]), found[gap]) for gap in gaps]
    fitted: list[tuple[Fill, S]] = []
    for number, gap in enumerate(gaps):
        below = _pruned_below(base, gap, [done for done, _ in fitted])
        statistic = observed(below, [gap], number, len(gaps))[gap]
        made = replace(fill(gap, statistic), base=_digests_below(base, gap))
        if fronts is not None and min(made.edits) < gap.first:
            fronts.clear()
        fitted.append((made, statistic))
    return fitted


def each(watch: Callable[[Gap], S]) -> Callable[[Sequence[Gap]], dict[Gap, S]]:
    """Watches every gap by itself."""
    return lambda gaps: {gap: watch(gap) for gap in gaps}


class Fronts:
    """The stream in front of the block where the last gap began, of each batch: nothing below it changes any
    more."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[int, Tensor]] = {}

    def begin(self, first: int, replay: Replay) -> tuple[int, Tensor]:
        """The block to go on from and the stream in front of it, of the batch that begins with sequence
        `first`."""
        block, hidden = self._kept.pop(first, (0, replay.hidden))
        return block, hidden.to(replay.hidden.device)

    def keep(self, first: int, block: int, hidden: Tensor) -> None:
        self._kept[first] = (block, hidden.cpu())

    def clear(self) -> None:
        self._kept.clear()


def _can_keep(base: Base) -> bool:
    """Other machines keep nothing between passes."""
    corpus, decoder = base.corpus, base.decoder
    needed = corpus.sequences * corpus.longest * decoder.hidden_size * decoder.dtype.itemsize
    return base.hands is None and needed <= KEPT_BYTES


@dataclass(frozen=True)
class GapSums(Generic[S]):
    """Gathers the statistics of gaps in one pass over sequences, as high as the highest gap."""

    gaps: tuple[Gap, ...]
    watch: Callable[[Sequence[Gap]], dict[Gap, S]]
    around: Around
    batch_size: int
    skip_tokens: int
    fronts: Fronts | None = None
    """What one pass leaves to the next."""

    def run(self, decoder: Decoder, part: tuple[int, Corpus], job: Job) -> Iterator[int | dict[Gap, S]]:
        """The sequences of each batch that is done, and at the end what was gathered. `part`: the place of
        the first sequence, and the sequences."""
        first, corpus = part
        watched = self.watch(self.gaps)
        for batch in corpus.batches(self.batch_size):
            count = len(batch.lengths)
            tokens = _tokens(batch, self.skip_tokens, torch.arange(first, first + count))
            with self.around(decoder), torch.no_grad():
                replay = decoder.begin(cast("LongTensor", batch.input_ids.to(decoder.device)))
                fronts = self.fronts
                start = (0, replay.hidden) if fronts is None else fronts.begin(first, replay)
                keep = None if fronts is None else partial(fronts.keep, first)
                _climb(decoder, replay, start, watched, tokens, job, keep)
            first += count
            yield count
        yield watched


def _sequences(corpus: Corpus, size: int, answer_bytes: int) -> Items[tuple[int, Corpus]]:
    items = sequences_of(corpus, size)

    def part(numbers: range) -> tuple[int, Corpus]:
        return numbers.start, items.part(numbers)

    return Items(items.count, items.batch, items.load, part, answer_bytes)


def _observe(
    base: Base,
    subnetwork: Subnetwork,
    work: GapSums[S],
    items: Items[tuple[int, Corpus]],
    job: Job,
    of_passes: tuple[int, int],
) -> dict[Gap, S]:
    """One pass, of so many before and in all."""
    number, passes = of_passes
    done, gathered = number * items.count, dict[Gap, S]()
    hands = None if base.hands is None else base.hands(subnetwork)
    with at_work(subnetwork, None, hands) as (workers, _):
        # In order, so that the sums are the same whoever found them.
        for found in workers.run(work, items, job, ordered=True):
            if isinstance(found, int):
                done += found
                job.report("repair", done, passes * items.count, "sequences")
            elif not gathered:
                gathered = found
            else:
                for gap, statistic in gathered.items():
                    statistic.join(found[gap])
    for gap, statistic in gathered.items():
        statistic.move(base.decoder.block_device(gap.first))
    return gathered


def _climb(
    decoder: Decoder,
    replay: Replay,
    start: tuple[int, Tensor],
    watched: Mapping[Gap, Statistic],
    tokens: Tokens,
    job: Job,
    keep: Callable[[int, Tensor], None] | None,
) -> None:
    """From a block and the stream in front of it past the highest gap. `keep` gets the same of the lowest."""
    begin, hidden = start
    lowest = min(gap.first for gap in watched)
    fronts: dict[int, Tensor] = {}
    sublayers = {(gap.kind, gap.first): gap for gap in watched if gap.kind != "block"}
    runs = [gap for gap in watched if gap.kind == "block"]
    for index in range(begin, max(gap.last for gap in watched) + 1):
        job.check()
        hidden = decoder.at(index, hidden)
        if keep is not None and index == lowest:
            keep(index, hidden)
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


def _pruned_below(base: Base, gap: Gap, fills: Sequence[Fill]) -> Subnetwork:
    """What is as the subnetwork with its repairs below the gap, and whole from there on."""
    units = tuple(unit for unit in base.subnetwork.units if unit.index < gap.first)
    made = [Repair("", (), fill.edits, "") for fill in fills]
    # Cut to what lies below: a repair of the whole model names units that are still there.
    repairs = (
        Repair(each.method, (), _edits_below(each, gap), "") for each in (*base.subnetwork.repairs, *made)
    )
    return Subnetwork(base.decoder, units, tuple(repairs))


def _edits_below(repair: Repair, gap: Gap) -> dict[int, BlockEdit]:
    edits = {index: edit for index, edit in repair.edits.items() if index < gap.first}
    if gap.kind != "block" and gap.first in repair.edits:
        # The sublayer that stays may be changed; what fills the gap itself is yet to come.
        here = repair.edits[gap.first]
        edits[gap.first] = BlockEdit(before=here.before, weights=here.weights)
    return edits


def _digests_below(base: Base, gap: Gap) -> tuple[str, ...]:
    return tuple(repair.digest for repair in base.subnetwork.repairs if _edits_below(repair, gap))


def _tokens(batch: Batch, skip: int, numbers: Tensor) -> Tokens:
    positions = torch.arange(batch.input_ids.shape[1])
    there = positions < batch.lengths[:, None]
    return Tokens(there & (positions >= skip), there & (positions < skip), numbers)


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
