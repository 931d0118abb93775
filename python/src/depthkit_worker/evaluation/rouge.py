"""ROUGE-L (Lin, 2004): how much of a target's words a text has, in their order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

WORD = re.compile("[a-z0-9]+")


class Rouge(NamedTuple):
    """In the order that the best of several is chosen by."""

    f_measure: float
    precision: float
    recall: float


def rouge_l(target: str, text: str) -> Rouge:
    """By the longest common subsequence of words: runs of a to z and 0 to 9 once both are in lower case, no
    stemming, as the package rouge-score has them by default. Without words on either side all is 0."""
    wanted, written = _words(target), _words(text)
    shared = _common(wanted, written)
    if shared == 0:
        return Rouge(0.0, 0.0, 0.0)
    precision, recall = shared / len(written), shared / len(wanted)
    return Rouge(2 * precision * recall / (precision + recall), precision, recall)


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence.

    The rows of the usual table differ by 0 or 1 from column to column, so that a row fits into the bits of
    one integer (Hyyro, 2004): a bit that is 0 is a step up. That is a few operations per word of `other`.
    """
    places: dict[str, int] = {}
    for at, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << at
    full = (1 << len(one)) - 1
    row = full
    for word in other:
        steps = row & places.get(word, 0)
        row = (row + steps | row - steps) & full
    return len(one) - row.bit_count()
