"""What software that loaded an export answers, beside what the model in memory does.

Runs in environments without depthkit's own libraries too: NumPy is all it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from depthkit_worker.contract.wire import ExportReference
from depthkit_worker.errors import DepthkitError

Scores = NDArray[np.float64]
"""Log-probabilities behind each token of a row, (tokens, vocabulary)."""

C = TypeVar("C")


@dataclass(frozen=True)
class Cache(Generic[C]):
    """What a runtime keeps of the tokens it has read."""

    length: int
    bytes_per_token: int
    """A window's cache may hold fewer tokens than were read."""
    kept: C


class Runtime(Protocol[C]):
    """A model in some software."""

    def read(self, ids: Sequence[int], before: Cache[C] | None = None) -> tuple[Scores, Cache[C]]:
        """Scores behind each of `ids`, which follow `before`; and the cache with them."""
        ...

    def read_padded(self, rows: Sequence[Sequence[int]]) -> list[Scores] | None:
        """Scores of each row, read in one batch, padded on the left; None where the software has no such."""
        ...


@dataclass(frozen=True)
class Answers:
    """All are compared with the reference's."""

    largest_difference: float
    """Of log-probabilities, as the next."""
    mean_difference: float
    agreement: float
    written: float
    cached: float
    left_padded: float | None
    kv_bytes_per_token: int


def answers_of(
    runtime: Runtime[Any], reference: ExportReference, rounds: float, on_prompt: Callable[[], None]
) -> Answers:
    """`rounds`: kernels for one token and for many add in another order, so that log-probabilities may be
    this far apart; nearer ties may fall otherwise."""
    differences: list[float] = []
    agreed, same, margins, kv_bytes = 0, 0, [], 0
    for prompt in reference.prompts:
        scores, cache = runtime.read(prompt.ids)
        likeliest = np.array(prompt.likeliest)
        mine = scores[np.arange(len(likeliest)), likeliest]
        differences += np.abs(mine - np.array(prompt.log_probabilities)).tolist()
        agreed += int((scores.argmax(-1) == likeliest).sum())
        kv_bytes = cache.bytes_per_token
        written = _written(runtime, scores, cache, len(prompt.written))
        same += _in_common(written, prompt.written)
        margins += _margins(runtime, prompt.ids, written)
        on_prompt()
    return Answers(
        largest_difference=max(differences),
        mean_difference=sum(differences) / len(differences),
        agreement=agreed / len(differences),
        written=same / len(margins),
        cached=sum(margin <= 2 * rounds for margin in margins) / len(margins),
        left_padded=_left_padded(runtime, reference),
        kv_bytes_per_token=kv_bytes,
    )


def scores_of(logits: NDArray[Any]) -> Scores:
    """Log-probabilities. A model that answers with no numbers is refused."""
    if not np.isfinite(logits).all():
        raise DepthkitError("NOT_MEASURABLE", "it answers with no numbers")
    wide = logits.astype(np.float64)
    shifted = wide - wide.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def padded(rows: Sequence[Sequence[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Tokens, attention mask and positions of `rows` as one batch, padded on the left, each (rows, width)."""
    width = max(map(len, rows))
    ids = np.zeros((len(rows), width), dtype=np.int64)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, width - len(row) :] = row
        mask[number, width - len(row) :] = 1
    return ids, mask, (mask.cumsum(-1) - 1).clip(min=0)


def _left_padded(runtime: Runtime[Any], reference: ExportReference) -> float | None:
    """The share of likeliest next tokens that are the reference's where all prompts are one batch."""
    rows = runtime.read_padded([prompt.ids for prompt in reference.prompts])
    if rows is None:
        return None
    same = [
        scores.argmax(-1) == np.array(prompt.likeliest)
        for scores, prompt in zip(rows, reference.prompts, strict=True)
    ]
    return float(np.concatenate(same).mean())


def _written(runtime: Runtime[Any], scores: Scores, cache: Cache[Any], count: int) -> list[int]:
    """What it writes token by token behind a prompt, of which it has `scores` and `cache`."""
    written = [int(scores[-1].argmax())]
    while len(written) < count:
        scores, cache = runtime.read(written[-1:], cache)
        written.append(int(scores[-1].argmax()))
    return written


def _margins(runtime: Runtime[Any], ids: Sequence[int], written: Sequence[int]) -> list[float]:
    """Of each token of `written`: how much likelier another is where all is read at once, without a cache."""
    scores, _ = runtime.read([*ids, *written[:-1]])
    behind = scores[len(ids) - 1 :]
    return [float(row.max() - row[token]) for row, token in zip(behind, written, strict=True)]


def _in_common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    pairs = zip(one, other, strict=True)
    return next((at for at, (mine, theirs) in enumerate(pairs) if mine != theirs), len(one))
