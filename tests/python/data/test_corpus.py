"""Packing, BOS and counts of a corpus, against tokenising by hand."""

from __future__ import annotations

import hashlib
import random

import numpy as np
import pytest
from msgspec import structs
from transformers import PreTrainedTokenizerBase

from data.builders import BOS, LLAMA3_SPLIT, TRAINING, byte_level, sentence_piece
from depthkit_worker.contract.wire import BosPolicy, CorpusOptions, Packing
from depthkit_worker.data import tokens
from depthkit_worker.data.corpus import Corpus, make_corpus
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.data.tokens import (
    Tokeniser,
    bos_token,
    encode,
    encode_stream,
    splits_locally,
    tokenizer_digest,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Unattended

TEXTS = ["The quick fox.", "It's 12345 years old.\n", "naïve café", "東京 🙂"] * 10


def corpus(
    options: CorpusOptions, texts: list[str] = TEXTS, tokenizer: PreTrainedTokenizerBase | None = None
) -> Corpus:
    return make_corpus(Tokeniser(tokenizer or byte_level()), texts_from_strings(texts), options, Unattended())


def test_texts_are_joined_and_cut_into_consecutive_sequences() -> None:
    tokenizer = byte_level()
    stream = tokenizer("\n\n".join(TEXTS))["input_ids"]
    packed = corpus(CorpusOptions(length=16, sequences=5), tokenizer=tokenizer)
    assert packed.ids.tolist() == stream[:80]
    assert (packed.sequences, packed.tokens, packed.info.bos_added) == (5, 80, False)
    assert (packed.info.tokens_total, packed.info.tokens_dropped) == (len(stream), len(stream) - 80)
    assert packed.info.tokens_digest == hashlib.sha256(np.array(stream[:80], "<i4").tobytes()).hexdigest()
    rows = [row for batch in packed.batches(2) for row in batch.input_ids.tolist()]
    assert rows == [stream[i : i + 16] for i in range(0, 80, 16)]
    whole = corpus(CorpusOptions(length=16), tokenizer=tokenizer)
    assert whole.sequences == len(stream) // 16 and whole.info.tokens_dropped == len(stream) % 16


def test_dat3_too_little_text_is_said_with_both_numbers() -> None:
    with pytest.raises(DepthkitError) as caught:
        corpus(CorpusOptions(length=2048, sequences=128), [f"short line {i}" for i in range(10)])
    assert caught.value.code == "NOT_ENOUGH_TEXT"
    assert caught.value.details["need"] == 2048 * 128
    assert 0 < caught.value.details["have"] < 200
    assert (
        str(2048 * 128) in caught.value.message and str(caught.value.details["have"]) in caught.value.message
    )
    with pytest.raises(DepthkitError) as caught:
        corpus(CorpusOptions(length=8, sequences=3, packing="none"), ["some words", "others"])
    assert (caught.value.details["have"], caught.value.details["need"]) == (2, 3)
    with pytest.raises(DepthkitError) as caught:
        corpus(CorpusOptions(length=8), [])
    assert caught.value.code == "NOT_ENOUGH_TEXT"


@pytest.mark.parametrize("packing", ["pack", "none"])
@pytest.mark.parametrize("bos", ["never", "always"])
def test_sequences_can_be_named(packing: Packing, bos: BosPolicy) -> None:
    options = CorpusOptions(length=8, packing=packing, bos=bos)
    tokenizer = byte_level(bos=True)
    whole = corpus(options, tokenizer=tokenizer)
    numbers = (0, 3, 4, whole.sequences - 1)
    named = corpus(structs.replace(options, numbers=numbers), tokenizer=tokenizer)
    assert [named.row(at).tolist() for at in range(4)] == [whole.row(number).tolist() for number in numbers]
    assert named.info.numbers == numbers and whole.info.numbers is None
    assert named.info.tokens_total == whole.info.tokens_total
    behind = structs.replace(options, numbers=(2, whole.sequences))
    with pytest.raises(DepthkitError, match=f"up to number {whole.sequences} were asked for") as caught:
        corpus(behind, tokenizer=tokenizer)
    assert caught.value.code == "NOT_ENOUGH_TEXT"


@pytest.mark.parametrize(
    "options",
    [
        CorpusOptions(length=8, numbers=(3, 1)),
        CorpusOptions(length=8, numbers=(1, 1)),
        CorpusOptions(length=8, numbers=(1,), skip=1),
        CorpusOptions(length=8, numbers=(1,), sequences=1),
    ],
)
def test_named_sequences_are_named_once_in_order_and_alone(options: CorpusOptions) -> None:
    with pytest.raises(DepthkitError, match="give one of the two") as caught:
        corpus(options)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_ppl3_bos_starts_each_sequence_and_takes_a_place() -> None:
    tokenizer = byte_level(bos=True)
    plain = corpus(CorpusOptions(length=16, sequences=6, bos="never"), tokenizer=tokenizer)
    marked = corpus(CorpusOptions(length=16, sequences=6, bos="always"), tokenizer=tokenizer)
    rows = marked.ids.reshape(6, 16)
    assert (rows[:, 0] == tokenizer.bos_token_id).all() and marked.info.bos_added
    assert rows[:, 1:].reshape(-1).tolist() == plain.ids[: 6 * 15].tolist()
    assert marked.info.tokens_dropped - plain.info.tokens_dropped == 6


@pytest.mark.parametrize("make", [byte_level, sentence_piece])
def test_ppl3_auto_does_what_the_tokeniser_does(make: type) -> None:
    assert bos_token(make(), "auto") is None
    assert bos_token(make(bos=True), "auto") is None
    adding = make(bos=True, adds_bos=True)
    assert bos_token(adding, "auto") == adding.convert_tokens_to_ids(BOS)
    assert bos_token(adding, "never") is None
    # The stream itself never holds one, whatever the post-processor does.
    assert adding.bos_token_id not in encode(adding, TEXTS)[0]


def test_ppl3_eos_never_stands_in_for_bos() -> None:
    tokenizer = byte_level(bos=True)
    tokenizer.eos_token, tokenizer.bos_token = BOS, None
    assert bos_token(tokenizer, "auto") is None
    with pytest.raises(DepthkitError) as caught:
        corpus(CorpusOptions(length=16, bos="always"), tokenizer=tokenizer)
    assert caught.value.code == "INVALID_ARGUMENT" and caught.value.details["allowed"] == ["auto", "never"]


def test_unpacked_texts_keep_to_themselves() -> None:
    tokenizer = byte_level(bos=True)
    texts = ["The", "The quick brown fox jumps over the lazy dog." * 3, "It's old."]
    rows = [tokenizer(text)["input_ids"] for text in texts]
    unpacked = corpus(CorpusOptions(length=20, packing="none", bos="never"), texts, tokenizer)
    kept = [row[:20] for row in rows if len(row) > 1]
    (batch,) = unpacked.batches(8)
    assert batch.lengths.tolist() == [len(row) for row in kept]
    assert [row[:n] for row, n in zip(batch.input_ids.tolist(), batch.lengths.tolist(), strict=True)] == kept
    assert unpacked.info.tokens_total == sum(map(len, rows))
    marked = corpus(CorpusOptions(length=20, packing="none", bos="always"), texts, tokenizer)
    assert marked.sequences == 3 and max(np.diff(marked.starts)) == 20


def random_text(characters: int) -> str:
    rng = random.Random(5)
    parts = [
        *TRAINING,
        " ",
        "  ",
        "\n",
        "\n\n",
        "\t",
        "x.\n",
        "\r\n",
        "1234567",
        "'ll",
        "é",
        "🙂",
        "—",
        "\u2028",
    ]
    text = ""
    while len(text) < characters:
        part = rng.choice(parts)
        start = rng.randrange(len(part))
        text += part[start : start + rng.randrange(1, 12)]
    return text


@pytest.mark.parametrize("split", [None, LLAMA3_SPLIT])
def test_a_stream_in_pieces_is_the_stream_in_one(monkeypatch: pytest.MonkeyPatch, split: str | None) -> None:
    monkeypatch.setattr(tokens, "SEGMENT", 50)  # hundreds of cuts
    tokenizer = byte_level(split=split)
    text = random_text(60_000)
    assert splits_locally(tokenizer)
    assert len(list(tokens._pieces(tokenizer, text))) > 100
    assert encode_stream(tokenizer, text, Unattended()).tolist() == encode(tokenizer, [text])[0]


def test_a_tokeniser_that_looks_further_gets_the_whole_stream() -> None:
    assert not splits_locally(sentence_piece())
    spaced = byte_level()
    assert tokenizer_digest(spaced) == tokenizer_digest(byte_level())
    assert tokenizer_digest(spaced) != tokenizer_digest(byte_level(split=LLAMA3_SPLIT))
