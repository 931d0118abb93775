"""Generation tasks: questions whose answer is written, from rows and a prompt template."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from depthkit_worker.contract.wire import GenerationTaskInfo, GenerationTaskOptions, RowSource
from depthkit_worker.data.numbers import number_in
from depthkit_worker.data.rows import Row, check_template, files_of, read_source
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Job


@dataclass(frozen=True)
class Item:
    prompt: str
    """All that stands before the answer, examples included."""
    targets: tuple[str, ...]
    """One or more, each of them right; examples show the first."""
    numbers: tuple[Decimal, ...]
    """The targets' numbers, where numbers are compared; else none."""
    place: str
    """Where its row stands, for messages."""


@dataclass(frozen=True)
class GenerationTask:
    items: tuple[Item, ...]
    info: GenerationTaskInfo


def load_generation_task(data: RowSource, options: GenerationTaskOptions, job: Job) -> GenerationTask:
    """Prompts and targets of the rows of `data`. Every row must have every field it needs."""
    check_template(options.prompt)
    own = _read(data, options, job)
    shots, asked = _split(own, options, job)
    asked = asked[: options.limit]
    if not asked:
        raise _too_few("rows to ask", 1, 0)
    front = "".join(
        shot.prompt + options.answer_prefix + shot.targets[0] + options.separator for shot in shots
    )
    items = tuple(replace(item, prompt=front + item.prompt) for item in asked)
    info = GenerationTaskInfo(
        digest=_digest(items, options),
        files=tuple(file.name for file in files_of(data, job)),
        items=len(items),
        score=options.score,
        shots=options.shots,
        separator=options.separator,
        first_prompt=items[0].prompt,
        first_target=items[0].targets[0],
    )
    return GenerationTask(items, info)


def _split(own: list[Item], options: GenerationTaskOptions, job: Job) -> tuple[list[Item], list[Item]]:
    """Examples, and what is asked."""
    if options.shots_from is None or options.shots == 0:
        shots, asked = own[: options.shots], own[options.shots :]
    else:
        shots, asked = _read(options.shots_from, options, job)[: options.shots], own
    if len(shots) < options.shots:
        raise _too_few("examples", options.shots, len(shots))
    return shots, asked


def _read(data: RowSource, options: GenerationTaskOptions, job: Job) -> list[Item]:
    return [_item(row, options) for row in read_source(data, job)]


def _item(row: Row, options: GenerationTaskOptions) -> Item:
    targets = row.written_each(options.target)
    numbers = (_number(row, options.target, target) for target in targets if options.score == "number")
    return Item(row.filled(options.prompt), targets, tuple(numbers), str(row.place))


def _number(row: Row, field: str, target: str) -> Decimal:
    number = number_in(target)
    if number is None:
        raise row.wrong(
            field,
            f"has no number in it ({target[-80:]!r})",
            "score the task as exact, or name the field that holds the number",
        )
    return number


def _digest(items: Sequence[Item], options: GenerationTaskOptions) -> str:
    digest = hashlib.sha256(options.score.encode())
    for item in items:
        if len(item.targets) > 1:
            # So that no other items come to the same texts.
            digest.update(b"targets" + len(item.targets).to_bytes(8, "little"))
        for text in (item.prompt, *item.targets):
            encoded = text.encode()
            digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()


def _too_few(what: str, need: int, have: int) -> DepthkitError:
    return DepthkitError(
        "NOT_ENOUGH_TEXT",
        f"The task needs {need} {what}, and there are {have}. Ask for fewer, or give more rows.",
        have=have,
        need=need,
        unit=what,
    )
