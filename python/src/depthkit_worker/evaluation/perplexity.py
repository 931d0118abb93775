"""Perplexity of a text stream, with everything a number needs to be compared with another."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
import torch

from depthkit_worker.contract.wire import BosPolicy, PerplexityOptions
from depthkit_worker.data.stream import TextStream
from depthkit_worker.data.tokens import bos_token
from depthkit_worker.data.windows import Windows, lay_windows
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.finished_items import FinishedItems, exactly
from depthkit_worker.evaluation.scoring import IGNORED, finite, score
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork

LARGEST = math.log(sys.float_info.max)
UNALIGNED = "the tokeniser changes the text, so its tokens have no place in it"


@dataclass(frozen=True)
class Perplexity:
    """A perplexity and what it was measured on. Losses are in nats."""

    perplexity: float
    """exp of `loss`."""
    loss: float
    """Mean cross entropy of the tokens scored."""
    loss_sum: float
    mean_of_sequences: float
    """Mean over chunks of exp(mean loss of the chunk): never below `perplexity` when chunks score alike."""
    word_perplexity: float | None
    """exp(loss_sum / words_scored); None where `unaligned` says why, no word begins or no float holds it."""
    bits_per_byte: float | None
    """loss_sum / ln 2 / bytes_scored; None where `unaligned` says why."""
    words_scored: int | None
    """Words that begin in a token that was scored."""
    bytes_scored: int | None
    """UTF-8 bytes of the stream behind the tokens scored, separators included."""
    unaligned: str | None
    stream: TextStream
    windows: Windows
    bos: BosPolicy
    bos_added: bool
    tokens_total: int
    tokens_scored: int
    tokens_dropped: int
    """Tokens behind the last chunk, or beyond `max_chunks`."""
    chunks: int
    batch_size: int


def perplexity(
    subnetwork: Subnetwork,
    stream: TextStream,
    options: PerplexityOptions,
    job: Job,
    *,
    finished: FinishedItems | None = None,
) -> Perplexity:
    """Perplexity of `subnetwork` on `stream`. An item of `finished` is a chunk, its value the summed loss.

    The stream is cut in chunks; each token is scored once, in the first chunk that holds it, given the
    tokens before it in that chunk; a chunk's first token is not scored unless BOS stands before it.
    """
    decoder = subnetwork.decoder
    if decoder.tokenizer is None:
        raise DepthkitError("INVALID_ARGUMENT", "Perplexity needs a tokenizer, and this model has none.")
    bos = bos_token(decoder.tokenizer, options.bos)
    windows = lay_windows(
        len(stream.ids),
        chunk=options.chunk,
        stride=options.stride,
        max_chunks=options.max_chunks,
        limit=decoder.context_length,
        bos=bos is not None,
    )
    finished = finished or FinishedItems()
    with removed(subnetwork):
        _score_chunks(decoder, stream, windows, bos, options.batch_size, job, finished)
    losses = np.array([finished[chunk][0] for chunk in range(len(windows.chunks))])
    scored = np.array([window.end - window.scored_from for window in windows.chunks])
    total = float(losses.sum())
    tokens = int(scored.sum())
    words, size = _words_and_bytes(stream, windows)
    loss = finite(total / tokens, "loss")
    return Perplexity(
        perplexity=finite(_exp(loss), "perplexity"),
        loss=loss,
        loss_sum=total,
        mean_of_sequences=finite(math.fsum(map(_exp, losses / scored)) / len(scored), "mean perplexity of the chunks"),
        word_perplexity=_exp(total / words) if words and total / words < LARGEST else None,
        bits_per_byte=total / math.log(2) / size if size else None,
        words_scored=words,
        bytes_scored=size,
        unaligned=UNALIGNED if stream.ends is None else None,
        stream=stream,
        windows=windows,
        bos=options.bos,
        bos_added=bos is not None,
        tokens_total=len(stream.ids),
        tokens_scored=tokens,
        tokens_dropped=windows.dropped,
        chunks=len(scored),
        batch_size=options.batch_size,
    )


def _score_chunks(
    decoder: Decoder,
    stream: TextStream,
    windows: Windows,
    bos: int | None,
    batch_size: int,
    job: Job,
    finished: FinishedItems,
) -> None:
    """Finishes the chunks that are missing, a batch at a time."""
    front = int(bos is not None)
    missing = finished.missing([exactly(1)] * len(windows.chunks))
    done = len(windows.chunks) - len(missing)
    for first in range(0, len(missing), batch_size):
        places = missing[first : first + batch_size]
        batch = [windows.chunks[place] for place in places]
        input_ids = torch.full((len(batch), front + windows.chunk), bos or 0)
        targets = torch.full_like(input_ids, IGNORED)
        for row, window in enumerate(batch):
            input_ids[row, front:] = torch.from_numpy(stream.ids[window.start : window.end].astype(np.int64))
            # A token is predicted one position before its own.
            scored = window.scored_from - window.start + front
            targets[row, scored - 1 : -1] = input_ids[row, scored:]
        sums = score(decoder, input_ids, targets, job).sum(1, keepdim=True).double().numpy()
        finished.add(places, list(sums))
        job.report("perplexity", done + first + len(batch), len(windows.chunks), "chunks")


def _words_and_bytes(stream: TextStream, windows: Windows) -> tuple[int | None, int | None]:
    """Words and bytes behind the tokens scored: the same tokens as in the losses, no more and no less."""
    words = size = 0
    for window in windows.chunks:
        words_here = stream.words_between(window.scored_from, window.end)
        bytes_here = stream.bytes_between(window.scored_from, window.end)
        if words_here is None or bytes_here is None:
            return None, None
        words += words_here
        size += bytes_here
    return words, size


def _exp(loss: float) -> float:
    return math.exp(loss) if loss < LARGEST else math.inf
