"""A corpus: text as token sequences of the length a measurement runs on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import CorpusInfo, CorpusOptions, FirstToken, WrittenInfo
from depthkit_worker.data.text import Texts
from depthkit_worker.data.tokens import Ids, Tokeniser, ids_digest, leading, tokenizer_digest
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Job

PAD = 0


@dataclass(frozen=True)
class Batch:
    """Sequences that run together, on CPU."""

    input_ids: torch.Tensor
    """int64 (batch, sequence), the end of shorter ones padded."""
    lengths: torch.Tensor
    """int64 (batch,): tokens of each that count."""


@dataclass(frozen=True)
class Corpus:
    """Token sequences, with what names them. Equal lengths when packed."""

    ids: Ids
    """int32 (tokens,): the sequences one after another."""
    starts: tuple[int, ...]
    """Where in `ids` each sequence begins, and at the end the number of tokens."""
    info: CorpusInfo
    tokenizer_digest: str
    prompt_lengths: tuple[int, ...] | None = None
    """Where a model wrote the rest of every sequence: the tokens in front of what it wrote."""

    @property
    def sequences(self) -> int:
        return len(self.starts) - 1

    @property
    def tokens(self) -> int:
        return self.starts[-1]

    @cached_property
    def highest_id(self) -> int:
        return int(self.ids.max())

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence."""
        return int(np.diff(self.starts).max())

    @property
    def length(self) -> int:
        """Tokens of the longest sequence, or more."""
        return self.info.length

    def batches(self, size: int) -> Iterator[Batch]:
        """All sequences in order, `size` at a time."""
        if size < 1:
            raise DepthkitError("INVALID_ARGUMENT", f"Batch size {size} is not at least 1.", batchSize=size)
        for first in range(0, self.sequences, size):
            yield self.batch_of(range(first, min(first + size, self.sequences)))

    def row(self, number: int) -> Ids:
        """The tokens of one sequence."""
        return self.ids[self.starts[number] : self.starts[number + 1]]

    def part(self, sequences: range) -> Corpus:
        """Some of the sequences, which follow each other; it is named as the whole."""
        first, end = self.starts[sequences.start], self.starts[sequences.stop]
        starts = tuple(start - first for start in self.starts[sequences.start : sequences.stop + 1])
        lengths = self.prompt_lengths
        if lengths is not None:
            lengths = lengths[sequences.start : sequences.stop]
        return replace(self, ids=self.ids[first:end], starts=starts, prompt_lengths=lengths)

    def batch_of(self, sequences: Sequence[int]) -> Batch:
        """The named sequences, in that order."""
        rows = [self.row(number) for number in sequences]
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        ids = np.full((len(rows), lengths.max()), PAD, dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
        return Batch(torch.from_numpy(ids), torch.from_numpy(lengths))


@dataclass(frozen=True)
class _Cut:
    """Sequences of text, with what the cutting left of the whole."""

    rows: list[Ids]
    """Without the BOS token that is put in front."""
    tokens_total: int
    tokens_taken: int
    bos_in_text: int


def make_corpus(tokeniser: Tokeniser, texts: Texts, options: CorpusOptions, job: Job) -> Corpus:
    """Tokenise `texts` and cut them into sequences.

    Packed: the texts joined by the separator, tokenised as one stream, cut into consecutive sequences of
    equal length, the short rest dropped. Unpacked: a sequence per text, cut at the length. With BOS each
    sequence starts with it and so holds one token of text less; one that the text itself has there is that
    one, and no second.
    """
    bos = tokeniser.bos(options.bos)
    front = [] if bos is None else [bos]
    room = options.length - len(front)
    own = _OwnBos(tokeniser.bos_id, taken=bos is not None)
    packed = options.packing == "pack"
    if packed:
        _check_length(tokeniser, options.length)
    cut = (_packed if packed else _unpacked)(tokeniser, texts, options, room, own, job)
    _check_length(tokeniser, len(front) + max(map(len, cut.rows)))
    ids = np.concatenate([part for row in cut.rows for part in (np.asarray(front, dtype=np.int32), row)])
    info = CorpusInfo(
        data=texts.info,
        tokens_digest=ids_digest(ids),
        sequences=len(cut.rows),
        length=options.length,
        tokens=len(ids),
        tokens_total=cut.tokens_total,
        skip=options.skip,
        numbers=options.numbers,
        tokens_dropped=cut.tokens_total - cut.tokens_taken,
        packing=options.packing,
        separator=options.separator,
        bos=options.bos,
        bos_added=bos is not None,
        bos_in_text=cut.bos_in_text,
        first_tokens=tokeniser.first(ids[: len(front) + len(cut.rows[0])]),
    )
    starts = (0, *np.cumsum([len(front) + len(row) for row in cut.rows]).tolist())
    return Corpus(ids, starts, info, tokenizer_digest(tokeniser.tokenizer))


def joined(
    prompts: Corpus,
    rows: Sequence[Ids],
    written: WrittenInfo,
    prompt_lengths: tuple[int, ...],
    first_tokens: tuple[FirstToken, ...],
) -> Corpus:
    """A corpus of `rows`, each the beginning of one of the sequences of `prompts` and what a model wrote."""
    ids = np.concatenate(rows)
    lengths = [len(row) for row in rows]
    source = prompts.info
    info = CorpusInfo(
        data=source.data,
        tokens_digest=ids_digest(ids),
        sequences=len(rows),
        length=max(lengths),
        tokens=len(ids),
        tokens_total=source.tokens_total,
        skip=source.skip,
        numbers=source.numbers,
        tokens_dropped=source.tokens_dropped + prompts.tokens - sum(prompt_lengths),
        packing="none",
        separator=source.separator,
        bos=source.bos,
        bos_added=source.bos_added,
        bos_in_text=source.bos_in_text,
        first_tokens=first_tokens,
        written=written,
    )
    starts = (0, *np.cumsum(lengths).tolist())
    return Corpus(ids, starts, info, prompts.tokenizer_digest, prompt_lengths)


def _check_length(tokeniser: Tokeniser, tokens: int) -> None:
    tokeniser.limits.require_length(tokens, "A sequence of the corpus", "Ask for shorter sequences (length).")


@dataclass(frozen=True)
class _OwnBos:
    """The BOS token where the text itself has it."""

    token: int | None
    taken: bool
    """Whether it gives way to one that is put in front."""

    def at(self, ids: Ids) -> int:
        """How many `ids` begin with."""
        return leading(ids, self.token)

    def skipped(self, ids: Ids) -> int:
        return self.at(ids) if self.taken else 0


def _packed(
    tokeniser: Tokeniser, texts: Texts, options: CorpusOptions, room: int, own: _OwnBos, job: Job
) -> _Cut:
    stream = _stream(tokeniser, texts, options.separator, job)
    rows: list[Ids] = []
    end = taken = in_text = 0
    wanted = _Wanted.of(options)
    for number in itertools.count():
        if wanted.all(len(rows)):
            break
        start = end + own.skipped(stream[end:])
        if start + room > len(stream):
            break
        if wanted.takes(number):
            in_text += own.at(stream[end:]) > 0
            rows.append(stream[start : start + room])
            taken += start + room - end
        end = start + room
    need = room * wanted.reach
    if len(rows) < wanted.least:
        raise DepthkitError(
            "NOT_ENOUGH_TEXT",
            f"{wanted.least} sequences of {room} tokens of text{wanted.where} were asked for, {need} tokens "
            f"in all; the text has {len(stream)}. Ask for fewer or shorter sequences, or give more text.",
            have=len(stream),
            need=need,
            unit="tokens",
        )
    return _Cut(rows, len(stream), taken, in_text)


_streams: WeakKeyDictionary[PreTrainedTokenizerBase, tuple[tuple[str, str], Ids]] = WeakKeyDictionary()
"""The last stream of each tokenizer, by the digest of its text and the separator: parts of one text, and
draws of it, are cut from the same stream."""


def _stream(tokeniser: Tokeniser, texts: Texts, separator: str, job: Job) -> Ids:
    key = (texts.info.digest, separator)
    known = _streams.get(tokeniser.tokenizer)
    if known is not None and known[0] == key:
        return known[1]
    ids = tokeniser.stream(texts.texts, separator, job)
    _streams[tokeniser.tokenizer] = key, ids
    return ids


@dataclass(frozen=True)
class _Wanted:
    """Which of a text's sequences are taken."""

    least: int
    """That there have to be."""
    reach: int
    """Sequences of the text up to the last of these."""
    where: str
    """For messages."""
    _most: int | None
    _skip: int
    _numbers: frozenset[int] | None

    @classmethod
    def of(cls, options: CorpusOptions) -> _Wanted:
        skip, sequences, numbers = options.skip, options.sequences, options.numbers
        if numbers is None:
            behind = f" behind the first {skip}" if skip else ""
            least = sequences or 1
            return cls(least, skip + least, behind, sequences, skip, None)
        if skip or sequences is not None or list(numbers) != sorted(set(numbers)):
            raise DepthkitError(
                "INVALID_ARGUMENT",
                "A corpus has sequences that are named (numbers, each once and in growing order), or those "
                "that follow others (sequences, skip); give one of the two.",
                numbers=list(numbers),
            )
        many = len(numbers)
        return cls(many, numbers[-1] + 1, f" up to number {numbers[-1]}", many, 0, frozenset(numbers))

    def all(self, taken: int) -> bool:
        return taken == self._most

    def takes(self, number: int) -> bool:
        return number >= self._skip if self._numbers is None else number in self._numbers


def _unpacked(
    tokeniser: Tokeniser, texts: Texts, options: CorpusOptions, room: int, own: _OwnBos, job: Job
) -> _Cut:
    wanted = _Wanted.of(options)
    there = 0
    rows: list[Ids] = []
    total = taken = in_text = 0
    for number, ids in enumerate(tokeniser.each(texts.texts, job), start=1):
        total += len(ids)
        start = own.skipped(ids)
        row = ids[start : start + room]
        job.report("tokenise", number, len(texts.texts), "texts")
        # A sequence of one token predicts nothing.
        if len(row) + options.length - room < 2:
            continue
        if wanted.takes(there) and not wanted.all(len(rows)):
            rows.append(row)
            taken += start + len(row)
            in_text += own.at(ids) > 0
        there += 1
    if len(rows) < wanted.least:
        raise DepthkitError(
            "NOT_ENOUGH_TEXT",
            f"{wanted.least} sequences, each a text of its own,{wanted.where} were asked for; {there} texts "
            "have the two tokens a sequence needs. Ask for fewer sequences, or give more texts.",
            have=there,
            need=wanted.reach,
            unit="texts",
        )
    return _Cut(rows, total, taken, in_text)
