"""Text that two corpora share is found wherever it stands, and none is found where they share none."""

from __future__ import annotations

import random

from data.builders import byte_level
from depthkit_worker.contract.wire import CorpusOptions
from depthkit_worker.data.corpus import Corpus, make_corpus
from depthkit_worker.data.overlap import STRETCH, overlap
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.data.tokens import Tokeniser
from depthkit_worker.session.job import Unattended

TOKENISER = Tokeniser(byte_level())


def words(seed: int, count: int) -> str:
    draw = random.Random(seed)
    return " ".join("".join(draw.choices("abcdefghij", k=6)) for _ in range(count))


def corpus(text: str, length: int = 128, sequences: int | None = None, skip: int = 0) -> Corpus:
    options = CorpusOptions(length=length, sequences=sequences, skip=skip)
    return make_corpus(TOKENISER, texts_from_strings([text]), options, Unattended())


def test_parts_of_one_text_share_nothing_where_one_skips_the_other() -> None:
    text = words(1, 2000)
    first, second = corpus(text, sequences=8), corpus(text, sequences=4, skip=8)
    found = overlap(TOKENISER, first, second, Unattended())
    assert (found.stretch, found.shared, found.example) == (STRETCH, 0, None)
    assert found.stretches == 4 * 128 // STRETCH
    assert second.ids.tolist() == corpus(text, sequences=12).ids[8 * 128 :].tolist()
    assert overlap(TOKENISER, first, corpus(text, sequences=4, skip=7), Unattended()).shared == 128 // STRETCH


def test_a_shared_passage_is_found_at_any_place_and_length_of_sequence() -> None:
    passage = words(2, 60)
    first = corpus(f"{words(3, 333)} {passage} {words(4, 500)}", length=512)
    second = corpus(f"{words(5, 123)} {passage} {words(6, 100)}", length=100)
    found = overlap(TOKENISER, first, second, Unattended())
    assert 0 < found.shared < found.stretches
    assert found.example is not None and found.example.strip()[:20] in passage
    assert overlap(TOKENISER, second, first, Unattended()).shared > 0


def test_short_sequences_are_compared_by_short_stretches() -> None:
    text = words(7, 400)
    found = overlap(TOKENISER, corpus(text, length=16), corpus(text, length=48), Unattended())
    assert (found.stretch, found.shared) == (16, found.stretches)
    # However the sequences of 32 tokens cut it, half of what is there twice is found.
    found = overlap(TOKENISER, corpus(text, length=32), corpus(text, length=45), Unattended())
    assert found.stretch == 16 and found.stretches / 3 < found.shared < found.stretches
