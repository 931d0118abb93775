"""A tokenizer as a GGUF file's metadata.

llama.cpp splits text by rules of its own, which a file chooses by name (`tokenizer.ggml.pre`); no rule can be
written into the file. So the name comes from a table of what a tokenizer.json says, and what the table does
not have is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gguf
from transformers import PreTrainedTokenizerBase

from depthkit_worker.models.decoder import Decoder

CONTROL, USER_DEFINED, NORMAL, UNUSED = (
    gguf.TokenType.CONTROL,
    gguf.TokenType.USER_DEFINED,
    gguf.TokenType.NORMAL,
    gguf.TokenType.UNUSED,
)

_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


@dataclass(frozen=True)
class _Rule:
    steps: tuple[str, ...]
    """What the pre-tokenizer does, by `_step`."""
    ignores_merges: bool = False
    normalizers: tuple[str | None, ...] = (None,)


_PRE: Mapping[str, _Rule] = {
    "gpt-2": _Rule(("bytes and words",)),
    "smollm": _Rule(("digits", "bytes and words")),
    "llama-bpe": _Rule((f"split {_WORDS}\\p{{N}}{{1,3}}{_REST}", "bytes"), ignores_merges=True),
    "qwen2": _Rule((f"split {_WORDS}\\p{{N}}{_REST}", "bytes"), normalizers=(None, "NFC")),
}
"""By the name that llama.cpp has for a rule."""


def tokenizer_fault(decoder: Decoder) -> str | None:
    """Why no GGUF file can hold the model's tokenizer; None where one can."""
    if decoder.tokenizer is None:
        return "the model has no tokenizer, and a GGUF file needs one"
    content = _content(decoder.tokenizer)
    if content is None or content["model"]["type"] != "BPE" or content["model"].get("byte_fallback"):
        return "its tokenizer is no byte-level BPE, and others are not converted here"
    if _pre(content) is None:
        return (
            "llama.cpp splits text by a rule that a file can only name, and the rule of this tokenizer is "
            f"none of those known here ({', '.join(_PRE)}): {json.dumps(content['pre_tokenizer'])[:300]}"
        )
    if _added_around(decoder.tokenizer) is None:
        return "its tokenizer adds other tokens to a text than one to begin it with and one to end it with"
    return None


def tokenizer_metadata(decoder: Decoder) -> dict[str, Any]:
    """The keys of `tokenizer.` with their values; `tokenizer_fault` has found none."""
    tokenizer, size = decoder.require_tokenizer(), decoder.vocabulary_size
    content = _content(tokenizer)
    assert content is not None
    texts, kinds = [f"[PAD{number}]" for number in range(size)], [int(UNUSED)] * size
    for text, number in content["model"]["vocab"].items():
        texts[number], kinds[number] = text, int(NORMAL)
    for added in content["added_tokens"]:
        texts[added["id"]] = added["content"]
        kinds[added["id"]] = int(CONTROL if added["special"] else USER_DEFINED)
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in content["model"]["merges"]]
    around = _added_around(tokenizer)
    assert around is not None
    found: dict[str, Any] = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": _pre(content),
        "tokenizer.ggml.tokens": texts,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.add_bos_token": around[0],
        "tokenizer.ggml.add_eos_token": around[1],
    }
    ids = {
        "bos": tokenizer.bos_token_id,
        "eos": tokenizer.eos_token_id,
        "unknown": tokenizer.unk_token_id,
        "padding": tokenizer.pad_token_id,
    }
    for name, number in ids.items():
        if number is not None:
            found[f"tokenizer.ggml.{name}_token_id"] = number
    if isinstance(tokenizer.chat_template, str):
        found["tokenizer.chat_template"] = tokenizer.chat_template
    return found


def _content(tokenizer: PreTrainedTokenizerBase) -> Any:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return None if backend is None else json.loads(backend.to_str())


def _pre(content: Any) -> str | None:
    before = content["pre_tokenizer"]
    parts = [] if before is None else before["pretokenizers"] if before["type"] == "Sequence" else [before]
    steps = tuple(_step(part) for part in parts)
    normalizer = None if content["normalizer"] is None else content["normalizer"]["type"]
    ignores = bool(content["model"].get("ignore_merges"))
    return next(
        (
            name
            for name, rule in _PRE.items()
            if rule.steps == steps and normalizer in rule.normalizers and rule.ignores_merges == ignores
        ),
        None,
    )


def _step(part: Any) -> str:
    match part:
        case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": words}:
            return "bytes and words" if words else "bytes"
        case {"type": "Digits", "individual_digits": True}:
            return "digits"
        case {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}:
            return f"split {pattern}"
    return "unknown"


def _added_around(tokenizer: PreTrainedTokenizerBase) -> tuple[bool, bool] | None:
    """Whether a text begins with the token for that, and ends with its; None where anything else is added."""
    bare = tokenizer.encode("a", add_special_tokens=False)
    for begins in (False, True):
        for ends in (False, True):
            before = [tokenizer.bos_token_id] if begins else []
            after = [tokenizer.eos_token_id] if ends else []
            if tokenizer.encode("a") == [*before, *bare, *after]:
                return begins, ends
    return None
