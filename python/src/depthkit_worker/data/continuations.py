"""Contexts and continuations as token ids: encoded together, split where the context ends, made to fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from depthkit_worker.data.tokens import Ids, Tokeniser, harmless_cut, leading, splits_locally
from depthkit_worker.errors import DepthkitError

CACHED_FRONTS = 256


@dataclass(frozen=True)
class Pair:
    """A context with a continuation."""

    ids: Ids
    """int32 (tokens,): both, without a BOS token."""
    scored: int
    """How many of the last tokens are the continuation's."""

    @property
    def context(self) -> int:
        return len(self.ids) - self.scored


class PairEncoder:
    """Encodes pairs as lm-evaluation-harness does: spaces at the context's end go to the continuation,
    the whole is encoded, and what the context encodes to by itself is taken off its front.

    Prompts share long fronts (few-shot examples); where the tokeniser splits locally a front is encoded
    once, up to a place where a cut is seen to change nothing.
    """

    def __init__(self, tokeniser: Tokeniser) -> None:
        self._tokeniser = tokeniser
        self._local = splits_locally(tokeniser.tokenizer)
        self._fronts: dict[str, Ids] = {}

    def encode(self, front: str, contexts: Sequence[str], continuations: Sequence[str]) -> list[Pair]:
        """The pairs of `front + context` and its continuation."""
        split = [
            _spaces_moved(front + context, rest)
            for context, rest in zip(contexts, continuations, strict=True)
        ]
        cuts = {self._cut(front, context) for context in dict.fromkeys(context for context, _ in split)}
        cut = min(cuts) if len(cuts) == 1 else 0
        texts = list(
            dict.fromkeys(text for context, rest in split for text in (context[cut:], (context + rest)[cut:]))
        )
        ids = dict(zip(texts, self._encode(texts), strict=True))
        before = self._front(front[:cut])
        pairs = []
        for context, rest in split:
            whole = np.concatenate([before, np.asarray(ids[(context + rest)[cut:]], dtype=np.int32)])
            pairs.append(Pair(whole, max(0, len(whole) - len(before) - len(ids[context[cut:]]))))
        return pairs

    def bos_in_text(self, pair: Pair) -> bool:
        return leading(pair.ids, self._tokeniser.bos_id) > 0

    def _encode(self, texts: list[str]) -> list[list[int]]:
        return self._tokeniser.encode(texts, lambda number: f"a prompt that ends in {texts[number][-40:]!r}")

    def _cut(self, front: str, text: str) -> int:
        if not self._local or not front or len(text) <= len(front):
            return 0
        return harmless_cut(self._tokeniser.tokenizer, text, len(front)) or 0

    def _front(self, text: str) -> Ids:
        if text not in self._fronts:
            if len(self._fronts) >= CACHED_FRONTS:
                self._fronts.clear()
            ids = self._encode([text])[0] if text else []
            self._fronts[text] = np.asarray(ids, dtype=np.int32)
        return self._fronts[text]


def _spaces_moved(context: str, continuation: str) -> tuple[str, str]:
    bare = context.rstrip()
    return bare, context[len(bare) :] + continuation


@dataclass(frozen=True)
class Fitted:
    pairs: tuple[Pair, ...]
    """With the BOS token in front where one was asked for."""
    shots_dropped: int
    tokens_cut: int
    """Tokens of context cut off, the same number for every pair."""
    bos_in_text: bool
    """Whether the text itself begins with a BOS token."""


@dataclass(frozen=True)
class Room:
    """What a sequence may hold."""

    limit: int | None
    """Tokens the model reads at a time; None: any number. The last token is predicted, never read."""
    bos: int | None

    @property
    def tokens(self) -> float:
        """Tokens of text."""
        return float("inf") if self.limit is None else self.limit + 1 - int(self.bos is not None)


@dataclass(frozen=True)
class Asked:
    """A question as text, with more or fewer of its examples."""

    shots: int
    """How many examples there are."""
    write: Callable[[int], tuple[str, Sequence[str]]]
    """Without so many of the first examples: what stands in front of all contexts, and the contexts."""
    continuations: Sequence[str]
    """One behind each context."""


def fit(encoder: PairEncoder, asked: Asked, room: Room) -> Fitted:
    """Encode a question. Where it is too long for the model, whole examples go first, the earliest of them
    before the others; then the context is cut from the left, behind the BOS token, by the same number of
    tokens for every choice."""
    dropped = 0
    while True:
        front, contexts = asked.write(dropped)
        pairs = encoder.encode(front, contexts, asked.continuations)
        in_text = any(map(encoder.bos_in_text, pairs))
        pairs = [_without(room.bos, pair) for pair in pairs]
        over = max(len(pair.ids) for pair in pairs) - room.tokens
        if over <= 0 or dropped == asked.shots:
            break
        dropped += 1
    cut = max(0, int(over)) if over > 0 else 0
    bos = [] if room.bos is None else [room.bos]
    for pair in pairs:
        _check(pair, cut, len(bos), room)
    fitted = (
        Pair(np.concatenate([np.asarray(bos, dtype=np.int32), pair.ids[cut:]]), pair.scored) for pair in pairs
    )
    return Fitted(tuple(fitted), dropped, cut, in_text)


def _without(bos: int | None, pair: Pair) -> Pair:
    """`pair` without the BOS tokens its text begins with, for which the one that is put in front stands."""
    own = leading(pair.ids, bos)
    return Pair(pair.ids[own:], min(pair.scored, len(pair.ids) - own)) if own else pair


def _check(pair: Pair, cut: int, front: int, room: Room) -> None:
    if pair.scored == 0:
        raise DepthkitError("INVALID_ARGUMENT", "a choice adds no token of its own to its context")
    if pair.context - cut + front < 1:
        why = (
            f"its longest choice leaves no room for context in the model's {room.limit} tokens"
            if cut
            else "its context is empty, and no BOS token stands in front of it to predict the choice from"
        )
        raise DepthkitError("INVALID_ARGUMENT", why)
