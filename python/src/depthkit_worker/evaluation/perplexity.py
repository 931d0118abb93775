"""Perplexity of a text stream, with everything a number needs to be compared with another."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from depthkit_worker.contract.wire import (
    FiniteOrInfinity,
    PerplexityItems,
    PerplexityOptions,
    PerplexityResult,
    Policy,
)
from depthkit_worker.data.stream import TextStream
from depthkit_worker.data.tokens import Ids, leading, tokeniser_of
from depthkit_worker.data.windows import Window, Windows, lay_windows
from depthkit_worker.evaluation.finished_items import FinishedItems, exactly
from depthkit_worker.evaluation.finite import exponential, finite
from depthkit_worker.evaluation.token_losses import token_losses
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.policies.follow import at_work, require_teacher_forced
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.hands import Hands, Items, Load
from depthkit_worker.subnetworks.head import Head
from depthkit_worker.subnetworks.subnetwork import Subnetwork

Each = Callable[[NDArray[np.float64], NDArray[np.int64]], PerplexityItems]
"""From the summed losses of the chunks, and how many tokens of each are scored."""


def perplexity(
    subnetwork: Subnetwork,
    stream: TextStream,
    options: PerplexityOptions,
    job: Job,
    *,
    policy: Policy | None = None,
    finished: FinishedItems | None = None,
    each: Each | None = None,
    hands: Hands | None = None,
) -> PerplexityResult:
    """Perplexity of `subnetwork` on `stream`, made with the same options, under `policy`. An item of
    `finished` is a chunk, its value the summed loss. `each` makes what the result says of single chunks;
    `hands` are who scores them, see `at_work`.

    The stream is cut in chunks; each token is scored once, in the first chunk that holds it, given the
    tokens before it in that chunk; a chunk's first token is not scored unless BOS stands before it.
    """
    started = time.monotonic()
    require_teacher_forced(policy, "Measuring perplexity")
    decoder = subnetwork.decoder
    tokeniser = tokeniser_of(decoder)
    bos = tokeniser.bos(options.bos)

    def own(start: int) -> int:
        return leading(stream.ids[start:], tokeniser.bos_id)

    windows = lay_windows(
        len(stream.ids), options, limit=decoder.context_length, bos=bos is not None, own=own
    )
    finished = finished or FinishedItems()
    missing = finished.missing([exactly(1)] * len(windows.chunks))
    with at_work(subnetwork, policy, hands) as (workers, follower):
        work = ChunkLosses(bos, windows.chunk, options.batch_size)
        done = len(windows.chunks) - len(missing)
        for found in workers.run(work, _items(stream, windows, missing, options.batch_size), job):
            finished.add(found.places, [found.losses[row : row + 1] for row in range(len(found.places))])
            done += len(found.places)
            job.report("perplexity", done, len(windows.chunks), "chunks")
    losses = np.array([finished[chunk][0] for chunk in range(len(windows.chunks))])
    scored = np.array([window.end - window.scored_from for window in windows.chunks])
    total = float(losses.sum())
    tokens = int(scored.sum())
    words, size = _words_and_bytes(stream, windows)
    loss = finite(total / tokens, "loss")
    return PerplexityResult(
        perplexity=exponential(loss),
        loss=loss,
        mean_of_sequences=_mean_exponential(losses / scored),
        word_perplexity=exponential(total / words) if words else None,
        bits_per_byte=total / math.log(2) / size if size else None,
        data=stream.info,
        rows=stream.rows,
        separator=stream.separator,
        chunk=windows.chunk,
        stride=windows.stride,
        chunks=len(scored),
        bos=options.bos,
        bos_added=bos is not None,
        bos_in_text=sum(own(window.start) > 0 for window in windows.chunks),
        first_tokens=tokeniser.first(_with_bos(_text(stream, windows.chunks[0]), bos).tolist()),
        tokens_total=len(stream.ids),
        tokens_scored=tokens,
        tokens_dropped=windows.dropped,
        per_item=None if each is None else each(losses, scored),
        skips=None if follower is None else follower.skips(),
        batch_size=options.batch_size,
        seconds=time.monotonic() - started,
    )


@dataclass(frozen=True)
class Chunks:
    """Some of the chunks of a text."""

    places: tuple[int, ...]
    """Among all of them."""
    rows: tuple[Ids, ...]
    """The text of each, without BOS."""
    scored: tuple[int, ...]
    """Tokens of each that are scored, the last ones."""


@dataclass(frozen=True)
class FoundLosses:
    places: tuple[int, ...]
    losses: NDArray[np.float64]
    """(places,): summed over the tokens scored, in nats."""


@dataclass(frozen=True)
class ChunkLosses:
    """Scores chunks, a batch at a time."""

    bos: int | None
    """Put in front of each."""
    chunk: int
    """Tokens of text of the longest."""
    batch_size: int

    def run(self, decoder: Decoder, part: Chunks, job: Job) -> Iterator[FoundLosses]:
        front, head = int(self.bos is not None), Head(decoder)
        for first in range(0, len(part.places), self.batch_size):
            places = part.places[first : first + self.batch_size]
            input_ids = torch.full((len(places), front + self.chunk), self.bos or 0)
            scored = torch.zeros_like(input_ids, dtype=torch.bool)
            counted = torch.zeros_like(scored)
            for row in range(len(places)):
                ids = _with_bos(part.rows[first + row], self.bos)
                input_ids[row, : len(ids)] = torch.from_numpy(ids)
                counted[row, : len(ids)] = True
                scored[row, len(ids) - part.scored[first + row] : len(ids)] = True
            losses = token_losses(decoder, head, input_ids, scored, places, job, counted)
            yield FoundLosses(places, losses.sum(1).numpy())


def _items(stream: TextStream, windows: Windows, missing: Sequence[int], batch_size: int) -> Items[Chunks]:
    def part(numbers: range) -> Chunks:
        places = tuple(missing[number] for number in numbers)
        chunks = [windows.chunks[place] for place in places]
        return Chunks(
            places,
            tuple(_text(stream, window) for window in chunks),
            tuple(window.end - window.scored_from for window in chunks),
        )

    def load(numbers: range) -> Load:
        return Load(1, len(numbers) * windows.chunk)

    return Items(len(missing), batch_size, load, part)


def _text(stream: TextStream, window: Window) -> Ids:
    return stream.ids[window.start + window.own : window.end]


def _with_bos(text: Ids, bos: int | None) -> NDArray[np.int64]:
    """The ids of a chunk, as the model gets them."""
    ids = text.astype(np.int64)
    return ids if bos is None else np.concatenate([np.array([bos]), ids])


def _words_and_bytes(stream: TextStream, windows: Windows) -> tuple[int | None, int | None]:
    """Words and bytes behind the tokens scored: the same tokens as in the losses, no more and no less. None
    where the tokeniser changes the text, so that its tokens have no place in it."""
    words = size = 0
    for window in windows.chunks:
        words_here = stream.words_between(window.scored_from, window.end)
        bytes_here = stream.bytes_between(window.scored_from, window.end)
        if words_here is None or bytes_here is None:
            return None, None
        words += words_here
        size += bytes_here
    return words, size


def _mean_exponential(losses: NDArray[np.float64]) -> FiniteOrInfinity:
    found = [exponential(loss) for loss in losses.tolist()]
    # Divided first: the sum may overflow where the mean does not.
    return "Infinity" if "Infinity" in found else math.fsum(float(one) / len(found) for one in found)
