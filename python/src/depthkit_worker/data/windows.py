"""Where the chunks of a token stream begin and end, and which tokens each of them scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from depthkit_worker.contract.wire import PerplexityOptions
from depthkit_worker.errors import DepthkitError

PUBLISHED_CHUNK = 2048


@dataclass(frozen=True)
class Window:
    """One chunk: it holds tokens `start` to `end` of the stream and scores `scored_from` to `end`."""

    start: int
    scored_from: int
    end: int
    own: int = 0
    """BOS tokens of the text at its start, which the one that is put in front stands for."""


@dataclass(frozen=True)
class Windows:
    chunks: tuple[Window, ...]
    chunk: int
    """Tokens of text a chunk."""
    stride: int
    """Tokens from one chunk's start to the next."""
    dropped: int
    """Tokens of the stream behind the last chunk."""


def lay_windows(
    tokens: int, options: PerplexityOptions, *, limit: int | None, bos: bool, own: Callable[[int], int]
) -> Windows:
    """Cut a stream of `tokens` for a model that takes `limit` at a time (None: any number), with `bos` one
    of them taken by the BOS token. `own`: how many BOS tokens of its own the text has at a place.

    No token is scored twice. Where chunks overlap, each but the first scores its last `stride` tokens;
    where nothing stands before a chunk's first token, that one is not scored.
    """
    room = None if limit is None else limit - int(bos)
    chunk = options.chunk
    if chunk is None:
        chunk = PUBLISHED_CHUNK if room is None else min(PUBLISHED_CHUNK, room)
    stride = chunk if options.stride is None else options.stride
    _check(chunk, stride, room)
    if tokens < chunk:
        raise DepthkitError(
            "NOT_ENOUGH_TEXT",
            f"One chunk of {chunk} tokens needs that many; the text has {tokens}. "
            "Give more text, or ask for shorter chunks.",
            have=tokens,
            need=chunk,
            unit="tokens",
        )
    count = (tokens - chunk) // stride + 1
    count = count if options.max_chunks is None else min(count, options.max_chunks)
    chunks: list[Window] = []
    scored_to = 0
    for start in range(0, count * stride, stride):
        # One token is left to score where there is nothing else.
        skipped = min(own(start), chunk - 1) if bos else 0
        first = start + skipped if bos else start + 1
        chunks.append(Window(start, max(first, scored_to), start + chunk, skipped))
        scored_to = start + chunk
    return Windows(tuple(chunks), chunk, stride, tokens - scored_to)


def _check(chunk: int, stride: int, room: int | None) -> None:
    if room is not None and chunk > room:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"A chunk of {chunk} tokens was asked for. This model takes up to {room}, one less where a BOS "
            "token stands in front.",
            chunk=chunk,
            limit=room,
        )
    if stride > chunk:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"A stride of {stride} tokens was asked for with chunks of {chunk}. "
            f"It goes from 1 to {chunk}: beyond it, text between the chunks would be left out.",
            stride=stride,
            chunk=chunk,
        )
