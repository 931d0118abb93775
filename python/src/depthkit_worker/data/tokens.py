"""From text to token ids: one stream, tokenised as if in one call."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any, cast
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import BosPolicy
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Job

Ids = NDArray[np.int32]

SEGMENT = 1 << 16
"""Characters tokenised in one go; about 50 ms of work, and the unit of cancelling."""
WINDOW = 256
"""Characters on each side of a cut that are tokenised again to see that the cut changes nothing."""
# A place where the splitting rules of byte-level tokenisers end a word whatever comes before.
CUT = re.compile(r"(?<=[A-Za-z.])\n")
LOCAL_STEPS = {"ByteLevel", "Digits", "Split", "Sequence"}
PROBE = "The probe."
_digests: WeakKeyDictionary[PreTrainedTokenizerBase, str] = WeakKeyDictionary()


def agreed(one: Ids, other: Ids) -> int:
    """Tokens that both begin with."""
    size = min(len(one), len(other))
    differs = one[:size] != other[:size]
    return int(differs.argmax()) if differs.any() else size


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
    (normaliser, prefix space, no splitting into words) gets the whole text.
    """
    pieces = _pieces(tokenizer, text) if splits_locally(tokenizer) else iter([text])
    ids: list[Ids] = []
    done = 0
    for piece in pieces:
        job.check()
        ids.append(np.asarray(encode(tokenizer, [piece])[0], dtype=np.int32))
        done += len(piece)
        job.report("tokenise", done, len(text), "characters")
    return np.concatenate(ids) if ids else np.zeros(0, dtype=np.int32)


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
        and not any(token["lstrip"] or token["rstrip"] or token["single_word"] for token in pipeline["added_tokens"])
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
            (cut.start() for cut in CUT.finditer(text, start + SEGMENT) if _harmless(tokenizer, text, cut.start())),
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
        pipeline = json.loads(cast("Any", tokenizer).backend_tokenizer.to_str())
        # Left behind by whoever called the tokeniser last; no part of what it is.
        pipeline["truncation"] = pipeline["padding"] = None
        return json.dumps(pipeline, sort_keys=True)
    return json.dumps([type(tokenizer).__name__, tokenizer.get_vocab()], sort_keys=True)


def ids_digest(ids: Ids) -> str:
    """sha256 of the ids as little-endian int32."""
    return hashlib.sha256(np.ascontiguousarray(ids, dtype="<i4").tobytes()).hexdigest()
