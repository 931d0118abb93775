"""Text for many prompts, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import GenerateOptions
from depthkit_worker.evaluation.next_tokens import NextTokens, Stream
from depthkit_worker.models.cancellable import cancellable
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.logits import Reader
from depthkit_worker.models.stepper import Stepper, pad_left
from depthkit_worker.session.job import Job

Grow = Callable[[int, list[int]], None]
"""Hears of every token: the place of its prompt, and the ids written so far."""


@dataclass
class _Row:
    place: int
    """Among the prompts."""
    written: list[int] = field(default_factory=list)


def write_batches(
    decoder: Decoder,
    prompts: Sequence[Sequence[int]],
    streams: Sequence[Stream],
    options: GenerateOptions,
    ends: tuple[int, ...],
    job: Job,
    grow: Grow,
) -> Iterator[dict[int, list[int]]]:
    """The ids `decoder`, as it stands, writes after each of `prompts`, one of the ending tokens `ends`
    included; by the prompts' places, a batch at a time.

    Prompts of like length run together, padded in front; a text that has ended leaves its batch. What is
    written does not hang on the batch but for the order of additions, which can tip a choice between two
    tokens that are as good as equally likely.
    """
    order = sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))
    for first in range(0, len(order), options.batch_size):
        places = order[first : first + options.batch_size]
        rows = [_Row(place) for place in places]
        written = {row.place: row.written for row in rows}
        tokens = NextTokens(options, [streams[place] for place in places])
        asked = [prompts[place] for place in places]
        _write_batch(decoder, asked, rows, tokens, options, ends, job, grow)
        yield written


def _write_batch(
    decoder: Decoder,
    prompts: Sequence[Sequence[int]],
    rows: list[_Row],
    next_tokens: NextTokens,
    options: GenerateOptions,
    ends: tuple[int, ...],
    job: Job,
    grow: Grow,
) -> None:
    tokenizer = decoder.require_tokenizer()
    stepper, reader = Stepper(decoder), Reader("Writing text", decoder.dtype)
    with cancellable(decoder, job):
        logits = stepper.begin(pad_left(prompts))
    for step in range(options.max_new_tokens):
        job.check()
        reader.check(logits, [row.place for row in rows], step)
        chosen = next_tokens.choose(logits)
        for row, token in zip(rows, chosen, strict=True):
            row.written.append(token)
            grow(row.place, row.written)
        going = [index for index, row in enumerate(rows) if not _ended(row.written, tokenizer, options, ends)]
        if not going or step + 1 == options.max_new_tokens:
            return
        if len(going) < len(rows):
            stepper.keep(torch.tensor(going, device=logits.device))
            next_tokens = next_tokens.keep(going)
            rows, chosen = [rows[index] for index in going], [chosen[index] for index in going]
        logits = stepper.step(torch.tensor(chosen, device=logits.device))


def _ended(
    written: list[int], tokenizer: PreTrainedTokenizerBase, options: GenerateOptions, ends: tuple[int, ...]
) -> bool:
    if written[-1] in ends:
        return True
    if not options.stop:
        return False
    text = tokenizer.decode(written, skip_special_tokens=True)
    return any(stop in text for stop in options.stop)
