"""Text for many prompts, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch

from depthkit_worker.evaluation.next_tokens import Chooser
from depthkit_worker.models.cancellable import cancellable
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.logits import Reader
from depthkit_worker.models.stepper import Stepper, pad_left
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.hands import Items, Load

P = TypeVar("P")
Grow = Callable[[int, list[int]], None]
"""Hears of every token: the place of its prompt, and the ids written so far."""


@dataclass(frozen=True)
class Writing:
    """How texts are written."""

    most: int
    """Tokens of each at most."""
    batch_size: int
    choosing: Callable[[Sequence[int]], Chooser]
    """Of the texts after the prompts at these places."""
    ended: Callable[[Sequence[int]], bool]
    """Whether a text ends with the ids written so far."""
    reader: Reader
    numbers: Sequence[int]
    """Of the prompts, for messages."""


@dataclass
class _Row:
    place: int
    """Among the prompts."""
    written: list[int] = field(default_factory=list)


def write_batches(
    decoder: Decoder,
    prompts: Sequence[Sequence[int]],
    writing: Writing,
    job: Job,
    grow: Grow = lambda _place, _written: None,
) -> Iterator[dict[int, list[int]]]:
    """The ids `decoder`, as it stands, writes after each of `prompts`, what ends a text included; by the
    prompts' places, a batch at a time.

    Prompts of like length run together, padded in front; a text that has ended leaves its batch. What is
    written does not depend on the batch but for the order of additions, which can tip a choice between two
    tokens that are as good as equally likely.
    """
    order = longest_first(prompts)
    for first in range(0, len(order), writing.batch_size):
        places = order[first : first + writing.batch_size]
        rows = [_Row(place) for place in places]
        written = {row.place: row.written for row in rows}
        _write_batch(decoder, [prompts[place] for place in places], rows, writing, job, grow)
        yield written


def writing_items(
    prompts: Sequence[Sequence[int]],
    most: int,
    batch_size: int,
    some: Callable[[Sequence[int]], P],
    sort: bool = True,
) -> Items[P]:
    """Prompts whose texts may be written anywhere, in batches as `write_batches` makes them of all; in their
    own order without `sort`. `some`: those at some places."""
    order = longest_first(prompts) if sort else range(len(prompts))

    def part(numbers: range) -> P:
        return some([order[number] for number in numbers])

    def load(numbers: range) -> Load:
        tokens = sum(len(prompts[order[number]]) for number in numbers)
        return Load(1 + most, tokens + len(numbers) * most)

    return Items(len(prompts), batch_size, load, part)


def longest_first(prompts: Sequence[Sequence[int]]) -> list[int]:
    """Their places."""
    return sorted(range(len(prompts)), key=lambda place: -len(prompts[place]))


def _write_batch(
    decoder: Decoder,
    prompts: Sequence[Sequence[int]],
    rows: list[_Row],
    writing: Writing,
    job: Job,
    grow: Grow,
) -> None:
    stepper, chooser = Stepper(decoder), writing.choosing([row.place for row in rows])
    with cancellable(decoder, job):
        logits = stepper.begin(pad_left(prompts))
    for step in range(writing.most):
        job.check()
        writing.reader.check(logits, [writing.numbers[row.place] for row in rows], step)
        chosen = chooser.choose(logits)
        for row, token in zip(rows, chosen, strict=True):
            row.written.append(token)
            grow(row.place, row.written)
        going = [index for index, row in enumerate(rows) if not writing.ended(row.written)]
        if not going or step + 1 == writing.most:
            return
        if len(going) < len(rows):
            stepper.keep(torch.tensor(going, device=logits.device))
            chooser = chooser.keep(going)
            rows, chosen = [rows[index] for index in going], [chosen[index] for index in going]
        logits = stepper.step(torch.tensor(chosen, device=logits.device))
