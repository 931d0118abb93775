"""Tasks: questions with choices, or a word to predict, as token ids with what names them."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from depthkit_worker.contract.wire import RowSource, TaskFormat, TaskInfo, TaskKind, TaskOptions, TaskTemplate
from depthkit_worker.data.asking import check_turns, in_turns, plainly
from depthkit_worker.data.continuations import Fitted, Pair, PairEncoder, Room, fit
from depthkit_worker.data.files import file_digest
from depthkit_worker.data.rows import Row, files_of, read_source
from depthkit_worker.data.templates import (
    ALIASES,
    FORMAT_NAMES,
    Format,
    Question,
    named_format,
    template_format,
)
from depthkit_worker.data.tokens import Ids, Tokeniser, agreed, tokenizer_digest
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Job

ITEMS_BETWEEN_REPORTS = 20
Pools = Mapping[str | None, Sequence[Question]]
"""Examples by group; under None where the format has no groups."""


@dataclass(frozen=True)
class Item:
    """A question. Its choices share the tokens of `trunk` and go on with one of `tails` each."""

    trunk: Ids
    """int32 (tokens,): a BOS token first where there is one. Empty where the choices begin differently."""
    tails: tuple[Ids, ...]
    """int32, one per choice, never empty: their last tokens are predicted and not read."""
    scored: tuple[int, ...]
    """How many of each sequence's last tokens are the choice's own; some may be in the trunk."""
    answer: int
    group: str | None
    characters: tuple[int, ...]
    """Length of each choice's text, without its leading space."""
    bytes: tuple[int, ...]
    shots_dropped: int
    tokens_cut: int
    bos_in_text: bool = False
    """Whether its text itself begins with a BOS token."""

    @property
    def longest(self) -> int:
        """Tokens that the model reads for the longest choice."""
        return len(self.trunk) + max(map(len, self.tails)) - 1

    @property
    def single_token(self) -> bool:
        """Whether the choices are one token each, all different, behind one and the same prompt."""
        alone = all(len(tail) == scored == 1 for tail, scored in zip(self.tails, self.scored, strict=True))
        return alone and len({int(tail[0]) for tail in self.tails}) == len(self.tails)

    def sequence(self, choice: int) -> Ids:
        """Context and continuation of one choice."""
        return np.concatenate([self.trunk, self.tails[choice]])


@dataclass(frozen=True)
class Task:
    items: tuple[Item, ...]
    info: TaskInfo
    tokenizer_digest: str

    @cached_property
    def highest_id(self) -> int:
        return max(int(ids.max()) for item in self.items for ids in (item.trunk, *item.tails) if len(ids))

    @property
    def longest(self) -> int:
        """Tokens that the model reads for the longest item."""
        return self.info.longest

    @property
    def kind(self) -> TaskKind:
        return self.info.kind


def load_task(tokeniser: Tokeniser, data: RowSource, options: TaskOptions, job: Job) -> Task:
    """Read, prompt and tokenise the rows of `data`, each to what the model reads at a time."""
    rows, format_ = _read(data, options, job)
    if format_.kind == "last-word" and options.shots:
        raise DepthkitError(
            "INVALID_ARGUMENT", f"The format {format_.name} takes no examples; leave out shots."
        )
    if options.chat_template:
        check_turns(tokeniser, format_)
    asked, pools = _asked(rows, format_, options, job)
    bos = tokeniser.bos(options.bos)
    encoder, room = PairEncoder(tokeniser), Room(tokeniser.limits.tokens, bos)
    items = []
    for done, (row, question) in enumerate(asked):
        job.check()
        shots = _shots(pools, format_, question, row, options.shots)
        asked_as = (
            in_turns(tokeniser, question, shots)
            if options.chat_template
            else plainly(question, shots, format_)
        )
        try:
            fitted = fit(encoder, asked_as, room)
        except DepthkitError as error:
            if error.code == "MODEL_INVALID":  # Its chat template: no fault of the row.
                raise
            raise _unfit(row, error) from error
        items.append(_item(question, fitted))
        if done % ITEMS_BETWEEN_REPORTS == 0 or done + 1 == len(asked):
            job.report("tokenise", done + 1, len(asked), "items")
    files = [*files_of(data, job), *(files_of(options.shots_from, job) if options.shots else [])]
    info = TaskInfo(
        kind=format_.kind,
        format=format_.name,
        digest=_digest(items),
        files=tuple(file.name for file in files),
        file_digests=tuple(file_digest(file.path, job) for file in files),
        items=len(items),
        rows=len(rows),
        # In the order they come up.
        groups=tuple(dict.fromkeys(item.group for item in items if item.group is not None)),
        shots=options.shots,
        limit=options.limit,
        chat_template=options.chat_template,
        bos=options.bos,
        bos_added=bos is not None,
        bos_in_text=sum(item.bos_in_text for item in items),
        first_tokens=tokeniser.first(items[0].sequence(0)),
        tokens=sum(len(item.trunk) + sum(len(tail) - 1 for tail in item.tails) for item in items),
        longest=max(item.longest for item in items),
        single_token=sum(item.single_token for item in items),
        items_with_shots_dropped=sum(item.shots_dropped > 0 for item in items),
        shots_dropped=sum(item.shots_dropped for item in items),
        items_cut=sum(item.tokens_cut > 0 for item in items),
        tokens_cut=sum(item.tokens_cut for item in items),
    )
    return Task(tuple(items), info, tokenizer_digest(tokeniser.tokenizer))


def _read(data: RowSource, options: TaskOptions, job: Job) -> tuple[list[Row], Format]:
    rows = read_source(data, job)
    if not rows:
        names = ", ".join(file.name for file in files_of(data, job))
        raise DepthkitError(
            "NOT_ENOUGH_TEXT", f"There is no row in {names}. A task needs one.", have=0, need=1
        )
    return rows, _format(rows, options)


def _format(rows: Sequence[Row], options: TaskOptions) -> Format:
    if isinstance(options.format, TaskTemplate):
        return template_format(options.format)
    if options.format is not None:
        return named_format(options.format)
    names = Counter(row.text("task") for row in rows)
    name = next(iter(names))
    if len(names) > 1:
        raise rows[0].wrong("task", f"is one of several: {', '.join(names)}", "a task has one format")
    known: Mapping[str, TaskFormat] = {**{known: known for known in FORMAT_NAMES}, **ALIASES}
    if name not in known:
        raise rows[0].wrong("task", f"is {name!r}", f"known are {', '.join(FORMAT_NAMES)}")
    return named_format(known[name])


def _asked(
    rows: Sequence[Row], format_: Format, options: TaskOptions, job: Job
) -> tuple[list[tuple[Row, Question]], Pools]:
    """The rows that are asked, and the examples there are. Without rows of their own, the first of each group
    are the examples."""
    pools: dict[str | None, list[Question]] = defaultdict(list)
    if options.shots == 0:
        return [(row, format_.read(row)) for row in rows[: options.limit]], pools
    if options.shots_from is not None:
        for row in read_source(options.shots_from, job):
            question = format_.read(row)
            pools[_pool_of(question, format_)].append(question)
        return [(row, format_.read(row)) for row in rows[: options.limit]], pools
    asked: list[tuple[Row, Question]] = []
    for row in rows:
        question = format_.read(row)
        pool = pools[_pool_of(question, format_)]
        if len(pool) < options.shots:
            pool.append(question)
        else:
            asked.append((row, question))
            if len(asked) == options.limit:
                return asked, pools
    reached = {_pool_of(question, format_) for _, question in asked}
    for group, pool in pools.items():
        if group not in reached:
            raise _only_examples(group, len(pool), options.shots)
    return asked, pools


def _pool_of(question: Question, format_: Format) -> str | None:
    return question.group if format_.shots_by_group else None


def _shots(pools: Pools, format_: Format, question: Question, row: Row, count: int) -> list[Question]:
    """The first examples there are, of the question's own group; never the question itself."""
    if count == 0:
        return []
    group = _pool_of(question, format_)
    found = [shot for shot in pools.get(group, ()) if shot.example != question.example][:count]
    if len(found) < count:
        raise DepthkitError(
            "NOT_ENOUGH_TEXT",
            f"{count} examples were asked for, and beside the question itself there are "
            f"{len(found)}{_of(group)} for {row.place}. Ask for fewer shots, or give more rows in shotsFrom.",
            have=len(found),
            need=count,
            unit="examples",
        )
    return found


def _only_examples(group: str | None, rows: int, shots: int) -> DepthkitError:
    return DepthkitError(
        "NOT_ENOUGH_TEXT",
        f"The task's first {shots} rows{_of(group)} were to be examples, which leaves none of its {rows} to "
        "ask. Ask for fewer shots, or give other rows for them in shotsFrom.",
        have=rows,
        need=shots + 1,
        unit="rows",
    )


def _of(group: str | None) -> str:
    return "" if group is None else f" of {group}"


def _item(question: Question, fitted: Fitted) -> Item:
    pairs = fitted.pairs
    shared = _common_prefix(pairs)
    return Item(
        trunk=pairs[0].ids[:shared],
        tails=tuple(pair.ids[shared:] for pair in pairs),
        scored=tuple(pair.scored for pair in pairs),
        answer=question.answer,
        group=question.group,
        characters=question.characters,
        bytes=question.bytes,
        shots_dropped=fitted.shots_dropped,
        tokens_cut=fitted.tokens_cut,
        bos_in_text=fitted.bos_in_text,
    )


def _common_prefix(pairs: Sequence[Pair]) -> int:
    """Tokens all sequences begin with; their last ones are left out."""
    width = min(len(pair.ids) for pair in pairs) - 1
    return min(agreed(pairs[0].ids[:width], pair.ids[:width]) for pair in pairs)


def _digest(items: Sequence[Item]) -> str:
    digest = hashlib.sha256()
    for item in items:
        for choice, scored in enumerate(item.scored):
            ids = np.ascontiguousarray(item.sequence(choice), dtype="<i4").tobytes()
            digest.update(len(ids).to_bytes(8, "little") + ids + scored.to_bytes(8, "little"))
        group = (item.group or "").encode()
        digest.update(item.answer.to_bytes(8, "little") + len(group).to_bytes(8, "little") + group)
    return digest.hexdigest()


def _unfit(row: Row, error: DepthkitError) -> DepthkitError:
    return DepthkitError(
        error.code,
        f"Cannot use {row.place}: {error.message}. Correct the row or the template, or use a model with more "
        f"context.",
        **{**error.details, **row.place.details},
    )
