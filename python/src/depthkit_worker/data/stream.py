"""One long token stream, with the words and bytes that lie behind any stretch of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from depthkit_worker.contract.wire import DataInfo, PerplexityOptions, RowMode
from depthkit_worker.data.text import Texts, lines_of
from depthkit_worker.data.token_bytes import token_ends
from depthkit_worker.data.tokens import Ids, Tokeniser, ids_digest, tokenizer_digest
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Job

WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class TextStream:
    """Text tokenised once, as a whole, without special tokens."""

    ids: Ids
    """int32 (tokens,)"""
    ends: NDArray[np.int64] | None
    """(tokens + 1,): bytes of text before each token and, last, in all; None where tokens and bytes do
    not line up because the tokeniser changes the text."""
    text: str
    info: DataInfo
    rows: RowMode
    separator: str
    tokens_digest: str
    tokenizer_digest: str

    def bytes_between(self, first: int, last: int) -> int | None:
        """UTF-8 bytes behind tokens `first` to `last`, the latter not included."""
        return None if self.ends is None else int(self.ends[last] - self.ends[first])

    def words_between(self, first: int, last: int) -> int | None:
        """Words that begin in tokens `first` to `last`, the latter not included. A word is what stands
        between white space, as `str.split` has it; where it begins is its first byte that is not space."""
        if self.ends is None:
            return None
        begin, end = np.searchsorted(self._word_starts, self.ends[[first, last]])
        return int(end - begin)

    @cached_property
    def _word_starts(self) -> NDArray[np.int64]:
        """Bytes of text before each word."""
        widths = [len(piece.encode()) for piece in re.split(r"(\S+)", self.text)]
        return np.cumsum([0, *widths], dtype=np.int64)[1:-1:2]


def make_stream(tokeniser: Tokeniser, texts: Texts, options: PerplexityOptions, job: Job) -> TextStream:
    """Join `texts` as `rows` and `separator` of the options say, and tokenise the whole.

    `raw`: the texts as they are, the separator between them. `wikitext`: the published protocol on
    WikiText, where every line is a row of its own; a row ends in a newline, an empty line is an empty row,
    and the separator stands between rows.
    """
    parts = list(texts.texts) if options.rows == "raw" else _rows(texts)
    text = options.separator.join(parts)
    ids = tokeniser.stream(parts, options.separator, job)
    return TextStream(
        ids=ids,
        ends=token_ends(tokeniser.tokenizer, ids, text),
        text=text,
        info=texts.info,
        rows=options.rows,
        separator=options.separator,
        tokens_digest=ids_digest(ids),
        tokenizer_digest=tokenizer_digest(tokeniser.tokenizer),
    )


def _rows(texts: Texts) -> list[str]:
    records = [path for path in texts.info.files if not path.lower().endswith(".txt")]
    if records:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f'rows "wikitext" reads the lines of a text as rows, empty ones among them, and {records[0]} has '
            'lost its empty ones as JSON lines. Give the .txt file, or use rows "raw".',
            rows="wikitext",
            path=records[0],
        )
    return [line + "\n" if line else "" for text in texts.texts for line in lines_of(text)]
