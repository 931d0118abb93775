"""A corpus: text as token sequences of the length a measurement runs on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import CorpusInfo, CorpusOptions
from depthkit_worker.data.text import Texts
from depthkit_worker.data.tokens import (
    Ids,
    bos_token,
    encode,
    encode_stream,
    ids_digest,
    tokenizer_digest,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Job

TEXTS_BETWEEN_CHECKS = 100
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

    @property
    def sequences(self) -> int:
        return len(self.starts) - 1

    @property
    def tokens(self) -> int:
        return self.starts[-1]

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

    def batch_of(self, sequences: Sequence[int]) -> Batch:
        """The named sequences, in that order."""
        rows = [self.ids[self.starts[number] : self.starts[number + 1]] for number in sequences]
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        ids = np.full((len(rows), lengths.max()), PAD, dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
        return Batch(torch.from_numpy(ids), torch.from_numpy(lengths))


def make_corpus(tokenizer: PreTrainedTokenizerBase, texts: Texts, options: CorpusOptions, job: Job) -> Corpus:
    """Tokenise `texts` and cut them into sequences.

    Packed: the texts joined by the separator, tokenised as one stream, cut into consecutive sequences of
    equal length, the short rest dropped. Unpacked: a sequence a text, cut at the length. With BOS each
    sequence starts with it and so holds one token of text less.
    """
    bos = bos_token(tokenizer, options.bos)
    front = [] if bos is None else [bos]
    room = options.length - len(front)
    if options.packing == "pack":
        rows, total = _packed(tokenizer, texts, options, room, job)
    else:
        rows, total = _unpacked(tokenizer, texts, options, room, job)
    ids = np.concatenate([part for row in rows for part in (np.asarray(front, dtype=np.int32), row)])
    info = CorpusInfo(
        data=texts.info,
        tokens_digest=ids_digest(ids),
        sequences=len(rows),
        length=options.length,
        tokens=len(ids),
        tokens_total=total,
        tokens_dropped=total - sum(map(len, rows)),
        packing=options.packing,
        separator=options.separator,
        bos=options.bos,
        bos_added=bos is not None,
    )
    starts = (0, *np.cumsum([len(front) + len(row) for row in rows]).tolist())
    return Corpus(ids, starts, info, tokenizer_digest(tokenizer))


def _packed(
    tokenizer: PreTrainedTokenizerBase, texts: Texts, options: CorpusOptions, room: int, job: Job
) -> tuple[list[Ids], int]:
    stream = encode_stream(tokenizer, options.separator.join(texts.texts), job)
    need = room * (options.sequences or 1)
    if len(stream) < need:
        raise DepthkitError(
            "NOT_ENOUGH_TEXT",
            f"{options.sequences or 1} sequences of {room} tokens of text were asked for, {need} tokens in "
            f"all; the text has {len(stream)}. Ask for fewer or shorter sequences, or give more text.",
            have=len(stream),
            need=need,
            unit="tokens",
        )
    count = options.sequences or len(stream) // room
    return list(stream[: count * room].reshape(count, room)), len(stream)


def _unpacked(
    tokenizer: PreTrainedTokenizerBase, texts: Texts, options: CorpusOptions, room: int, job: Job
) -> tuple[list[Ids], int]:
    need = options.sequences or 1
    rows: list[Ids] = []
    total = 0
    for first in range(0, len(texts.texts), TEXTS_BETWEEN_CHECKS):
        job.check()
        group = list(texts.texts[first : first + TEXTS_BETWEEN_CHECKS])
        for ids in encode(tokenizer, group):
            total += len(ids)
            row = np.asarray(ids[:room], dtype=np.int32)
            # A sequence of one token predicts nothing.
            if len(row) + options.length - room >= 2 and (options.sequences is None or len(rows) < options.sequences):
                rows.append(row)
        job.report("tokenise", first + len(group), len(texts.texts), "texts")
    if len(rows) < need:
        raise DepthkitError(
            "NOT_ENOUGH_TEXT",
            f"{need} sequences, each a text of its own, were asked for; {len(rows)} texts have the two "
            "tokens a sequence needs. Ask for fewer sequences, or give more texts.",
            have=len(rows),
            need=need,
            unit="texts",
        )
    return rows, total
