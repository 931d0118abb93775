"""Tasks: questions with choices, or a word to predict, as token ids with what names them."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from transformers import PreTrainedTokenizerBase

from depthkit_worker.data.continuations import Fitted, Pair, PairEncoder, Room, fit
from depthkit_worker.data.files import check_rows_file, file_digest, read_rows
from depthkit_worker.data.rows import Row
from depthkit_worker.data.templates import (
    ALIASES,
    FORMAT_NAMES,
    Format,
    FormatName,
    Question,
    TaskKind,
    Template,
    named_format,
    template_format,
)
from depthkit_worker.data.tokens import BosPolicy, Ids, agreed, bos_token, tokenizer_digest
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Job

MOST_SHOTS = 5
ITEMS_BETWEEN_REPORTS = 20


@dataclass(frozen=True)
class TaskOptions:
    """How rows become items."""

    format: FormatName | Template | None = None
    """None: what the rows themselves name in their field `task`."""
    shots: int = 0
    """Examples in front of each question: the first of `shots_file`, of the question's own group where the
    format has groups; never the question itself."""
    shots_file: Path | None = None
    limit: int | None = None
    """Take the first so many rows; None: all."""
    bos: BosPolicy = "auto"


@dataclass(frozen=True)
class Item:
    """A question. Its choices share the tokens of `trunk` and go on with one of `tails` each."""

    trunk: Ids
    """int32 (tokens,): a BOS token first where there is one. Empty where the choices begin differently."""
    tails: tuple[Ids, ...]
    """int32, one a choice, never empty: their last tokens are predicted and not read."""
    scored: tuple[int, ...]
    """How many of each sequence's last tokens are the choice's own; some may be in the trunk."""
    answer: int
    group: str | None
    characters: tuple[int, ...]
    """Length of each choice's text, without its leading space."""
    bytes: tuple[int, ...]
    shots_dropped: int
    tokens_cut: int

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
    kind: TaskKind
    format: str
    options: TaskOptions
    digest: str
    """sha256 over the items' token ids, scored counts, answers and groups: what a score hangs on."""
    files: tuple[str, ...]
    file_digests: tuple[str, ...]
    rows: int
    """Rows in the file; `limit` may have left some of them out."""
    bos_added: bool
    tokenizer_digest: str

    @property
    def groups(self) -> tuple[str, ...]:
        """In the order they come up."""
        return tuple(dict.fromkeys(item.group for item in self.items if item.group is not None))

    @property
    def tokens(self) -> int:
        """Tokens the model reads when prompts are shared."""
        return sum(len(item.trunk) + sum(len(tail) - 1 for tail in item.tails) for item in self.items)


def load_task(
    tokenizer: PreTrainedTokenizerBase, context_length: int | None, path: Path, options: TaskOptions, job: Job
) -> Task:
    """Read, prompt and tokenise the rows of `path` for a model that reads `context_length` tokens."""
    _check_options(options)
    rows, format_ = _read(path, options, job)
    if format_.kind == "last-word" and options.shots:
        raise DepthkitError("INVALID_ARGUMENT", f"The format {format_.name} takes no examples; leave out shots.")
    taken = rows[: options.limit]
    questions = [format_.read(row) for row in taken]
    pools = _pools(format_, options, job)
    bos = bos_token(tokenizer, options.bos)
    encoder, room = PairEncoder(tokenizer), Room(context_length, bos)
    items = []
    for done, (row, question) in enumerate(zip(taken, questions, strict=True)):
        job.check()
        front = (question.description, _shots(pools, format_, question, row, options.shots))
        try:
            fitted = fit(encoder, front, question.contexts, question.continuations, room)
        except DepthkitError as error:
            raise _unfit(row, error) from error
        items.append(_item(question, fitted))
        if done % ITEMS_BETWEEN_REPORTS == 0 or done + 1 == len(taken):
            job.report("tokenise", done + 1, len(taken), "items")
    files = [path, *([options.shots_file] if options.shots_file is not None and options.shots else [])]
    return Task(
        items=tuple(items),
        kind=format_.kind,
        format=format_.name,
        options=options,
        digest=_digest(items),
        files=tuple(map(str, files)),
        file_digests=tuple(file_digest(file, job) for file in files),
        rows=len(rows),
        bos_added=bos is not None,
        tokenizer_digest=tokenizer_digest(tokenizer),
    )


def _read(path: Path, options: TaskOptions, job: Job) -> tuple[list[Row], Format]:
    rows = list(_rows(path, job))
    if not rows:
        raise DepthkitError("NOT_ENOUGH_TEXT", f"{path} has no row. A task needs at least one.", have=0, need=1)
    return rows, _format(rows, options)


def _rows(path: Path, job: Job) -> Iterator[Row]:
    check_rows_file(path)
    for number, fields in read_rows(path, job):
        yield Row(fields, path, number)


def _format(rows: Sequence[Row], options: TaskOptions) -> Format:
    if isinstance(options.format, Template):
        return template_format(options.format)
    if options.format is not None:
        return named_format(options.format)
    names = Counter(row.text("task") for row in rows)
    name = next(iter(names))
    if len(names) > 1:
        raise rows[0].wrong("task", f"is one of several in the file: {', '.join(names)}", "a task has one format")
    known: Mapping[str, FormatName] = {**{known: known for known in FORMAT_NAMES}, **ALIASES}
    if name not in known:
        raise rows[0].wrong("task", f"is {name!r}", f"known are {', '.join(FORMAT_NAMES)}")
    return named_format(known[name])


def _pools(format_: Format, options: TaskOptions, job: Job) -> Mapping[str | None, list[str]]:
    """The examples there are, by group."""
    pools: dict[str | None, list[str]] = defaultdict(list)
    if options.shots == 0:
        return pools
    if options.shots_file is None:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"{options.shots} examples a question were asked for, and no file to take them from. Name one in "
            "shotsFile, such as mmlu_dev.jsonl; examples are never taken from the questions themselves.",
            shots=options.shots,
        )
    for row in _rows(options.shots_file, job):
        question = format_.read(row)
        pools[question.group if format_.shots_by_group else None].append(question.example)
    return pools


def _shots(
    pools: Mapping[str | None, list[str]], format_: Format, question: Question, row: Row, count: int
) -> list[str]:
    if count == 0:
        return []
    group = question.group if format_.shots_by_group else None
    found = [example for example in pools.get(group, []) if example != question.example][:count]
    if len(found) < count:
        of_group = "" if group is None else f" of {group}"
        raise DepthkitError(
            "NOT_ENOUGH_TEXT",
            f"{count} examples were asked for, and the shots file has {len(found)}{of_group} for line {row.line} "
            f"of {row.path}. Ask for fewer shots, or name a file that has more.",
            have=len(found),
            need=count,
            unit="examples",
        )
    return [example + format_.separator for example in found]


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
        f"Cannot use line {row.line} of {row.path}: {error.message}. Correct the row or the template, or use a "
        "model with more context.",
        path=str(row.path),
        line=row.line,
    )


def _check_options(options: TaskOptions) -> None:
    if not 0 <= options.shots <= MOST_SHOTS or (options.limit is not None and options.limit < 1):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"A task with {options.shots} shots and limit {options.limit} was asked for. Shots go from 0 to "
            f"{MOST_SHOTS}; the limit is 1 or more, or null for all rows.",
            shots=options.shots,
            limit=options.limit,
        )
