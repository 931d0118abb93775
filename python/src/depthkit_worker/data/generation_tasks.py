"""Generation tasks: questions whose answer is written, from JSON lines and a prompt template."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from depthkit_worker.data.files import check_rows_file, read_rows
from depthkit_worker.data.numbers import number_in
from depthkit_worker.data.rows import Row, check_template
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Job

Score = Literal["exact", "number"]


@dataclass(frozen=True)
class GenerationTaskOptions:
    prompt: str
    """Template of an item, up to where the model goes on: `Question: {question}\\nAnswer:`."""
    target: str
    """The field that holds the right answer, worked out as it may be."""
    score: Score = "exact"
    """`exact`: the text written is the target, white space at the ends aside; `number`: the same number is
    found in both."""
    shots: int = 0
    """Worked examples in front of every item, the same for all."""
    shot_files: tuple[str, ...] = ()
    """Where the examples come from, from the front; none: the task's own first items, which then are not
    asked."""
    answer_prefix: str = " "
    """Stands between an example's prompt and its target. It belongs to the answer: a prompt that ends in a
    space is another text to most tokenisers."""
    separator: str = "\n\n"
    """Stands between examples."""
    items: int | None = None
    """How many to take from the front; None: all."""


@dataclass(frozen=True)
class Item:
    prompt: str
    """All that stands before the answer, examples included."""
    target: str
    number: Decimal | None
    """The target's number, where numbers are compared."""
    place: str
    """File and line, for messages."""


@dataclass(frozen=True)
class GenerationTask:
    items: tuple[Item, ...]
    options: GenerationTaskOptions
    files: tuple[str, ...]
    digest: str
    """sha256 over prompts and targets, whatever files they came in."""


def load_generation_task(paths: Sequence[str], options: GenerationTaskOptions, job: Job) -> GenerationTask:
    """Read `.jsonl` or `.jsonl.gz` files in the order given. Every line must have every field it needs."""
    check_template(options.prompt)
    if options.shots < 0 or (options.items is not None and options.items < 1):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"A task of {options.items} items with {options.shots} examples was asked for: at least one item, and "
            "0 examples or more.",
            items=options.items,
            shots=options.shots,
        )
    own = _read(paths, options, job)
    shots, asked = _split(own, options, job)
    if options.items is not None:
        if options.items > len(asked):
            raise _too_few("items", options.items, len(asked))
        asked = asked[: options.items]
    if not asked:
        raise _too_few("items", 1, 0)
    front = "".join(shot.prompt + options.answer_prefix + shot.target + options.separator for shot in shots)
    items = tuple(Item(front + item.prompt, item.target, item.number, item.place) for item in asked)
    return GenerationTask(items, options, tuple(map(str, paths)), _digest(items, options))


def _split(own: list[Item], options: GenerationTaskOptions, job: Job) -> tuple[list[Item], list[Item]]:
    if not options.shot_files:
        shots, asked = own[: options.shots], own[options.shots :]
    else:
        shots, asked = _read(options.shot_files, options, job)[: options.shots], own
    if len(shots) < options.shots:
        raise _too_few("examples", options.shots, len(shots))
    return shots, asked


def _read(paths: Sequence[str], options: GenerationTaskOptions, job: Job) -> list[Item]:
    files = [Path(path) for path in paths]
    for path in files:
        check_rows_file(path)
    return [_item(Row(record, path, number), options) for path in files for number, record in read_rows(path, job)]


def _item(row: Row, options: GenerationTaskOptions) -> Item:
    target = row.written(options.target)
    if not target:
        raise row.wrong(options.target, "is empty", "the right answer is a text or a number")
    number = number_in(target) if options.score == "number" else None
    if options.score == "number" and number is None:
        raise row.wrong(
            options.target,
            f"has no number in it ({target[-80:]!r})",
            "score the task as exact, or name the field that holds the number",
        )
    return Item(row.filled(options.prompt), target, number, row.place)


def _digest(items: Sequence[Item], options: GenerationTaskOptions) -> str:
    digest = hashlib.sha256(options.score.encode())
    for text in (text for item in items for text in (item.prompt, item.target)):
        encoded = text.encode()
        digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()


def _too_few(what: str, need: int, have: int) -> DepthkitError:
    return DepthkitError(
        "NOT_ENOUGH_TEXT",
        f"The task needs {need} {what}, and there are {have}. Ask for fewer, or give more lines.",
        have=have,
        need=need,
        unit=what,
    )
