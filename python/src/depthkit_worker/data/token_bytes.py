"""Which bytes of the text each token stands for."""

from __future__ import annotations

import json
import re
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from depthkit_worker.data.tokens import Ids

BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")


def token_ends(tokenizer: PreTrainedTokenizerBase, ids: Ids, text: str) -> NDArray[np.int64] | None:
    """(tokens + 1,): bytes of `text` in UTF-8 before each token of `ids` and, last, in all.

    Read off the vocabulary rather than from the tokeniser's character offsets, which leave out spaces
    for some tokenisers and cannot point into a character. None unless the tokens spell the text byte
    for byte (a space the tokeniser itself puts in front is forgiven).
    """
    pieces = _vocabulary_bytes(tokenizer)
    spelled = [pieces.get(int(token), b"") for token in ids]
    joined, expected = b"".join(spelled), text.encode()
    if joined == b" " + expected and spelled:
        spelled[0] = spelled[0].removeprefix(b" ")
    elif joined != expected:
        return None
    return np.cumsum([0, *map(len, spelled)], dtype=np.int64)


def _vocabulary_bytes(tokenizer: PreTrainedTokenizerBase) -> dict[int, bytes]:
    added = {token: str(content).encode() for token, content in tokenizer.added_tokens_decoder.items()}
    spell = _spell_byte_level if _is_byte_level(tokenizer) else _spell_marked
    return {token: spell(piece) for piece, token in tokenizer.get_vocab().items()} | added


def _is_byte_level(tokenizer: PreTrainedTokenizerBase) -> bool:
    if not tokenizer.is_fast:
        return False
    decoder = json.loads(cast("Any", tokenizer).backend_tokenizer.to_str())["decoder"] or {}
    steps = [decoder, *decoder.get("decoders", ())]
    return any(step.get("type") == "ByteLevel" for step in steps)


def _byte_letters() -> dict[str, int]:
    """The letter that stands for each byte in a byte-level vocabulary (GPT-2): bytes that print stand for
    themselves, the others take the code points from 256 on, in order."""
    printing = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [value for value in range(256) if value not in printing]
    return {chr(value): value for value in printing} | {chr(256 + n): value for n, value in enumerate(others)}


BYTE_OF = _byte_letters()


def _spell_byte_level(piece: str) -> bytes:
    # A letter outside the alphabet belongs to no text; the comparison with the text will tell.
    return bytes(BYTE_OF.get(letter, 0) for letter in piece)


def _spell_marked(piece: str) -> bytes:
    """SentencePiece's way: a mark for the space, and tokens named after single bytes."""
    byte = BYTE_TOKEN.fullmatch(piece)
    return bytes([int(byte[1], 16)]) if byte else piece.replace("▁", " ").encode()
