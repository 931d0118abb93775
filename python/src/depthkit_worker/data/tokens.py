"""From text to token ids: one stream, tokenised as if in one call."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase, TokenizersBackend

from depthkit_worker.contract.wire import BosPolicy, FirstToken
from depthkit_worker.data.chat import render_chat
from depthkit_worker.data.tokenise_child import IDS, TEXT, TOKENIZER
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.child import run_child
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.limits import Limits
from depthkit_worker.models.partial_folders import partial_folder
from depthkit_worker.session.job import Job

Ids = NDArray[np.int32]

LONG = 1 << 18
"""Characters from which a text goes through the tokeniser in a process of its own: half a second of work."""
SEGMENT = 1 << 16
"""Characters tokenised in one go; about 50 ms of work, and the unit of cancelling."""
WINDOW = 256
"""Characters on each side of a cut that are tokenised again to see that the cut changes nothing."""
# A place where the splitting rules of byte-level tokenisers end a word whatever comes before.
CUT = re.compile(r"(?<=[A-Za-z.])\n")
LOCAL_STEPS = {"ByteLevel", "Digits", "Split", "Sequence"}
PROBE = "The probe."
SHOWN = 16
"""Tokens that are shown of what was tokenised."""
_copies: WeakKeyDictionary[PreTrainedTokenizerBase, PreTrainedTokenizerBase] = WeakKeyDictionary()
_digests: WeakKeyDictionary[PreTrainedTokenizerBase, str] = WeakKeyDictionary()


def agreed(one: Ids, other: Ids) -> int:
    """Tokens that both begin with."""
    size = min(len(one), len(other))
    differs = one[:size] != other[:size]
    return int(differs.argmax()) if differs.any() else size


@dataclass(frozen=True)
class Prompt:
    ids: list[int]
    bos_in_text: bool
    """Whether the text itself begins with a BOS token."""


class Tokeniser:
    """A model's tokenizer, held to what the model can read: all text becomes tokens here."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, limits: Limits | None = None) -> None:
        self.tokenizer = tokenizer
        self.limits = Limits() if limits is None else limits

    @property
    def bos_id(self) -> int | None:
        """The tokenizer's BOS token, whether or not it is put in front of anything."""
        return cast("int | None", self.tokenizer.bos_token_id)

    def bos(self, policy: BosPolicy) -> int | None:
        """See `bos_token`."""
        bos = bos_token(self.tokenizer, policy)
        self.check([] if bos is None else [bos], lambda: "the BOS token in front of each sequence")
        return bos

    def each(self, texts: Sequence[str], job: Job) -> Iterator[Ids]:
        """Ids of each text by itself, without special tokens, one after the other."""
        for number, text in enumerate(texts):
            job.check()
            ids = encode_whole(self.tokenizer, text, job)
            self.check(ids, partial("text {}".format, number + 1))
            yield ids

    def encode(self, texts: list[str], place: Callable[[int], str]) -> list[list[int]]:
        """Ids of each text by itself, without special tokens. `place` names a text by its number."""
        found = encode(self.tokenizer, texts)
        for number, ids in enumerate(found):
            self.check(ids, partial(place, number))
        return found

    def stream(self, texts: Sequence[str], separator: str, job: Job) -> Ids:
        """Ids of the texts joined by `separator`; see `encode_stream`."""
        ids = encode_stream(self.tokenizer, separator.join(texts), job)
        self.check(ids, lambda: _text_with(texts, self._beyond(ids)[1]))
        return ids

    def prompt(self, text: str, place: str) -> Prompt:
        """What the tokenizer itself makes of a whole text, special tokens and all, but for a second BOS."""
        ids = cast("list[int]", self.tokenizer(text, verbose=False)["input_ids"])
        own = leading(encode(self.tokenizer, [text])[0], self.bos_id)
        if leading(ids, self.bos_id) > own:
            ids = ids[own:]
        self.check(ids, lambda: place)
        return Prompt(ids, own > 0)

    def chat_prompt(self, text: str, place: str) -> Prompt:
        """`text` as a user's turn in the chat template, which puts its own BOS in front where it wants
        one."""
        bos = cast("str | None", self.tokenizer.bos_token)
        whole, in_text = self._turn(text), bool(bos and text.startswith(bos))
        if bos and in_text and whole.startswith(bos):
            while text.startswith(bos):
                text = text.removeprefix(bos)
            whole = self._turn(text)
        (ids,) = self.encode([whole], lambda _: place)
        return Prompt(ids, in_text)

    def to_continue(self, text: str, place: str, *, chat: bool) -> Prompt:
        """What a model gets to write behind `text`, or to answer it with `chat`: never nothing."""
        found = self.chat_prompt(text, place) if chat else self.prompt(text, place)
        if found.ids:
            return found
        if self.bos_id is None:
            raise DepthkitError(
                "INVALID_ARGUMENT",
                f"The prompt {text!r} has no tokens, and the tokenizer has no token to begin a text with.",
                prompt=text,
            )
        return Prompt([self.bos_id], False)

    def first(self, ids: Sequence[int] | Ids) -> tuple[FirstToken, ...]:
        """The first of `ids` with their pieces of the vocabulary, for people to look at."""
        shown = [int(token) for token in ids[:SHOWN]]
        pieces = cast("list[str]", self.tokenizer.convert_ids_to_tokens(shown))
        return tuple(
            FirstToken(id=token, piece=str(piece)) for token, piece in zip(shown, pieces, strict=True)
        )

    def _turn(self, text: str) -> str:
        return render_chat(self.tokenizer, [{"role": "user", "content": text}])

    def _beyond(self, ids: Sequence[int] | Ids) -> tuple[int, str]:
        """Where the first id stands that the model has no row for, and its token."""
        at = int((np.asarray(ids) >= self.limits.rows).argmax())
        return at, str(self.tokenizer.convert_ids_to_tokens(int(ids[at])))

    def check(self, ids: Sequence[int] | Ids, place: Callable[[], str]) -> None:
        """Refuse ids that the model has no row for."""
        rows = self.limits.rows
        if rows is None or len(ids) == 0 or int(np.max(ids)) < rows:
            return
        at, token = self._beyond(ids)
        before = self.tokenizer.decode([int(one) for one in ids[max(0, at - SHOWN) : at]])
        behind = f", behind {before!r}" if before else ""
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Tokenising {place()}: token {at + 1} is {token!r} with the id {int(ids[at])}{behind}. The "
            f"model's embedding has {rows} rows, for ids up to {rows - 1}: the tokenizer was given tokens "
            "that the model was not. Enlarge the model's embedding (resize_token_embeddings), or leave the "
            "token out.",
            token=token,
            id=int(ids[at]),
            rows=rows,
            place=place(),
            position=at,
        )


def tokeniser_of(decoder: Decoder) -> Tokeniser:
    return Tokeniser(decoder.require_tokenizer(), decoder.limits)


def reading_tokeniser_of(decoder: Decoder) -> Tokeniser:
    """The same for the thread that reads text beside the one that computes, with a tokenizer of its own: one
    tokenizer serves one thread at a time."""
    original = decoder.require_tokenizer()
    copy = _copies.get(original)
    if copy is None:
        copy = _copies[original] = deepcopy(original)
        _digests[copy] = tokenizer_digest(original)
    return Tokeniser(copy, decoder.limits)


def leading(ids: Sequence[int] | Ids, token: int | None) -> int:
    """How many times `ids` begin with `token`."""
    found = 0
    while token is not None and found < len(ids) and ids[found] == token:
        found += 1
    return found


def _text_with(texts: Sequence[str], token: str) -> str:
    """Where a token that is written as it is named stands first."""
    for number, text in enumerate(texts):
        at = text.find(token)
        if at >= 0:
            return f"text {number + 1}, line {text.count(chr(10), 0, at) + 1}"
    return "the text"


def encode(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    """Ids of each text by itself, without special tokens."""
    encoding = tokenizer(
        texts,
        add_special_tokens=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        truncation=False,
        verbose=False,  # no warning that a stream is longer than the model's limit
    )
    return cast("list[list[int]]", encoding["input_ids"])


def encode_stream(tokenizer: PreTrainedTokenizerBase, text: str, job: Job) -> Ids:
    """Ids of `text` (tokens,): those of one call on the whole, made in pieces where that is safe.

    Pieces bound the memory and let a cancel through. A tokeniser that may look at the whole text
    (normaliser, prefix space, no splitting into words) gets the whole text, in a process of its own.
    """
    pieces = _pieces(tokenizer, text) if splits_locally(tokenizer) else iter([text])
    ids: list[Ids] = []
    done = 0
    job.report("tokenise", done, len(text), "characters")
    for piece in pieces:
        job.check()
        ids.append(encode_whole(tokenizer, piece, job))
        done += len(piece)
        job.report("tokenise", done, len(text), "characters")
    return np.concatenate(ids) if ids else np.zeros(0, dtype=np.int32)


def encode_whole(tokenizer: PreTrainedTokenizerBase, text: str, job: Job) -> Ids:
    """Ids of one text (tokens,), without special tokens. A cancel is obeyed however long the text is, but for
    tokenisers that are not made by the tokenizers library, or that do more than it does."""
    if len(text) < LONG or not _is_plain(tokenizer):
        return np.asarray(encode(tokenizer, [text])[0], dtype=np.int32)
    # In the folder for temporary files; what a kill leaves there goes with the next one.
    with partial_folder(Path(tempfile.gettempdir()) / "depthkit-tokens") as prepared:
        (prepared.new / TOKENIZER).write_text(_pipeline(tokenizer), encoding="utf-8")
        (prepared.new / TEXT).write_bytes(text.encode())
        split = "split" if cast("Any", tokenizer).split_special_tokens else "keep"
        run_child("depthkit_worker.data.tokenise_child", [str(prepared.new), split], job)
        return np.fromfile(prepared.new / IDS, dtype=np.int32)


def _is_plain(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether it is the library's own pipeline that makes tokens, and no code of the tokeniser's class."""
    here = type(tokenizer)
    return isinstance(tokenizer, TokenizersBackend) and all(
        getattr(here, name) is getattr(TokenizersBackend, name) for name in ("__call__", "_encode_plus")
    )


def splits_locally(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether what the tokeniser makes of a place depends only on the characters around it.

    True of byte-level BPE as GPT-2 began it: no normaliser, words split off by patterns that look at a run
    of characters and the next one, merges inside a word only.
    """
    if not tokenizer.is_fast:
        return False
    pipeline = json.loads(cast("Any", tokenizer).backend_tokenizer.to_str())
    model, normalizer, words = pipeline["model"], pipeline["normalizer"], pipeline["pre_tokenizer"]
    steps = list(_steps(words))
    return (
        model["type"] == "BPE"
        and not model.get("dropout")
        and normalizer is None
        and any(step["type"] == "ByteLevel" for step in steps)
        and any(step["type"] == "Split" or step.get("use_regex", False) for step in steps)
        and all(step["type"] in LOCAL_STEPS and not step.get("add_prefix_space", False) for step in steps)
        and not any(
            token["lstrip"] or token["rstrip"] or token["single_word"] for token in pipeline["added_tokens"]
        )
    )


def _steps(words: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    if words is None:
        return
    yield words
    for step in words.get("pretokenizers", ()):
        yield from _steps(step)


def _pieces(tokenizer: PreTrainedTokenizerBase, text: str) -> Iterator[str]:
    """`text` in pieces of at least `SEGMENT` characters, cut only where a cut is seen to be harmless."""
    start = 0
    while start < len(text):
        end = next(
            (
                cut.start()
                for cut in CUT.finditer(text, start + SEGMENT)
                if _harmless(tokenizer, text, cut.start())
            ),
            len(text),
        )
        yield text[start:end]
        start = end


def harmless_cut(tokenizer: PreTrainedTokenizerBase, text: str, before: int) -> int | None:
    """The last place in `text` before character `before` where it may be cut and tokenised in two, for a
    tokeniser that splits locally; None where the places that are likely do not hold."""
    cuts = [cut.start() for cut in CUT.finditer(text, max(0, before - WINDOW), before)]
    return next((cut for cut in reversed(cuts[-2:]) if _harmless(tokenizer, text, cut)), None)


def _harmless(tokenizer: PreTrainedTokenizerBase, text: str, cut: int) -> bool:
    left, right = text[max(0, cut - WINDOW) : cut], text[cut : cut + WINDOW]
    both, first, second = encode(tokenizer, [left + right, left, right])
    return both == first + second


def bos_token(tokenizer: PreTrainedTokenizerBase, policy: BosPolicy) -> int | None:
    """The id that goes in front of every sequence under `policy`, or None.

    `auto` is what the tokeniser itself does, seen on a probe: the setting `add_bos_token` is not
    everywhere and not always obeyed. EOS never stands in for a BOS token that is not there.
    """
    bos = cast("int | None", tokenizer.bos_token_id)
    if policy == "never":
        return None
    if policy == "always":
        if bos is None:
            raise DepthkitError(
                "INVALID_ARGUMENT",
                'A BOS token was asked for (bos "always"), but this tokeniser has none. '
                'Use "auto" or "never"; no other token is put in its place.',
                bos=policy,
                allowed=["auto", "never"],
            )
        return bos
    plain = encode(tokenizer, [PROBE])[0]
    own = cast("list[int]", tokenizer(PROBE, add_special_tokens=True, verbose=False)["input_ids"])
    added = bos is not None and own[:1] == [bos] and plain[:1] != [bos]
    return bos if added else None


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """sha256 that tells two tokenisers apart by all that turns text into ids.

    Taken once a tokeniser, since every call on a corpus asks for it: a large vocabulary takes a fifth of a
    second.
    """
    digest = _digests.get(tokenizer)
    if digest is None:
        digest = _digests[tokenizer] = hashlib.sha256(_description(tokenizer).encode()).hexdigest()
    return digest


def _description(tokenizer: PreTrainedTokenizerBase) -> str:
    if tokenizer.is_fast:
        return _pipeline(tokenizer)
    return json.dumps([type(tokenizer).__name__, tokenizer.get_vocab()], sort_keys=True)


def _pipeline(tokenizer: PreTrainedTokenizerBase) -> str:
    pipeline = json.loads(cast("Any", tokenizer).backend_tokenizer.to_str())
    # Left behind by whoever called the tokeniser last; no part of what it is.
    pipeline["truncation"] = pipeline["padding"] = None
    return json.dumps(pipeline, sort_keys=True)


def ids_digest(ids: Ids) -> str:
    """sha256 of the ids as little-endian int32."""
    return hashlib.sha256(np.ascontiguousarray(ids, dtype="<i4").tobytes()).hexdigest()
