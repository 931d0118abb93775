"""A text that begins with the BOS token by itself has no second one, and the result says so."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, PreTrainedTokenizerBase

from data.builders import BOS, TRAINING, byte_level, sentence_piece
from depthkit_worker.contract.wire import (
    CorpusOptions,
    GenerateOptions,
    OwnRows,
    PerplexityOptions,
    PerplexityResult,
    TaskOptions,
)
from depthkit_worker.data.corpus import Corpus, make_corpus
from depthkit_worker.data.stream import make_stream
from depthkit_worker.data.tasks import Task, load_task
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.data.tokens import Tokeniser, tokeniser_of
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.perplexity import perplexity
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import SHAPE, random_model

TEXT = "The quick brown fox jumps over the lazy dog. It's 1,234 years old; it isn't.\n" * 3
JOB = Unattended()


@pytest.fixture(params=[byte_level, sentence_piece])
def adding(request: pytest.FixtureRequest) -> PreTrainedTokenizerBase:
    tokenizer = request.param(bos=True, adds_bos=True)
    assert isinstance(tokenizer, PreTrainedTokenizerBase)
    return tokenizer


def decoder_of(tokenizer: PreTrainedTokenizerBase) -> Decoder:
    shape = {**SHAPE, "vocab_size": len(tokenizer)}
    return Decoder(random_model(LlamaConfig(**shape)), tokenizer)


def corpus_of(tokenizer: PreTrainedTokenizerBase, texts: list[str], **options: Any) -> Corpus:
    given = CorpusOptions(**{"length": 16, **options})
    return make_corpus(Tokeniser(tokenizer), texts_from_strings(texts), given, JOB)


def task_of(tokenizer: PreTrainedTokenizerBase, front: str) -> Task:
    row = json.dumps({"question": front + "Why?", "choices": ["one", "two more"], "answer": 0})
    return load_task(Tokeniser(tokenizer), OwnRows(rows=(row,)), TaskOptions(format="openbookqa"), JOB)


def score(decoder: Decoder, text: str, **options: Any) -> PerplexityResult:
    given = PerplexityOptions(**{"chunk": 16, "separator": "", **options})
    stream = make_stream(tokeniser_of(decoder), texts_from_strings([text]), given, JOB)
    return perplexity(Subnetwork.dense(decoder), stream, given, JOB)


def most_in_a_row(ids: list[int], token: int | None) -> int:
    runs = "".join("B" if one == token else "." for one in ids).split(".")
    return max(map(len, runs))


@pytest.mark.parametrize("packing", ["pack", "none"])
@pytest.mark.parametrize("own", [BOS, BOS + BOS])
def test_sequences_of_a_corpus(adding: PreTrainedTokenizerBase, packing: str, own: str) -> None:
    texts = [TEXT, TEXT.upper()]
    plain = corpus_of(adding, texts, packing=packing, sequences=1)
    marked = corpus_of(adding, [own + text for text in texts], packing=packing, sequences=1)
    assert marked.ids.tolist() == plain.ids.tolist() and marked.ids[0] == adding.bos_token_id
    assert (plain.info.bos_in_text, marked.info.bos_in_text) == (0, 1)
    assert marked.info.first_tokens == plain.info.first_tokens
    first = marked.info.first_tokens
    assert [token.id for token in first] == marked.ids[:16].tolist() and first[0].piece == BOS
    # Where none is put in front, the text keeps its own.
    assert corpus_of(adding, [own + TEXT], bos="never").ids[0] == adding.bos_token_id


def test_sequences_that_happen_to_begin_where_the_text_has_one() -> None:
    tokenizer = byte_level(bos=True, adds_bos=True)
    word = tokenizer("The", add_special_tokens=False)["input_ids"]
    # The second sequence begins with the BOS of the second text.
    text = BOS + "The" * 15 + BOS + "The" * 40
    room = 15 * len(word)
    packed = corpus_of(tokenizer, [text], length=room + 1, sequences=3)
    rows = packed.ids.reshape(3, room + 1)
    assert (rows[:, 0] == tokenizer.bos_token_id).all() and packed.info.bos_in_text == 2
    assert most_in_a_row(packed.ids.tolist(), tokenizer.bos_token_id) == 1
    assert packed.info.tokens_total - packed.info.tokens_dropped == 3 * room + 2


def test_chunks_of_a_text(adding: PreTrainedTokenizerBase) -> None:
    decoder = decoder_of(adding)
    ids = Tokeniser(adding).stream([BOS + TEXT], "", JOB)
    assert ids[0] == adding.bos_token_id
    result = score(decoder, BOS + TEXT, max_chunks=1, bos="auto")
    assert (result.bos_in_text, result.tokens_scored) == (1, 15)
    assert [token.id for token in result.first_tokens] == ids[:16].tolist()
    # What a plain forward gives of one BOS and the 15 tokens behind it.
    logits = decoder.model(torch.from_numpy(ids[:16].astype("int64"))[None]).logits[0, :-1].double()
    expected = torch.nn.functional.cross_entropy(logits, torch.from_numpy(ids[1:16].astype("int64")))
    assert result.loss == pytest.approx(float(expected), rel=1e-6)
    assert score(decoder, TEXT, max_chunks=1).bos_in_text == 0
    # With overlap and in batches too, each token once.
    many = score(decoder, (BOS + TEXT) * 3, stride=5, batch_size=4)
    assert many.loss == pytest.approx(score(decoder, (BOS + TEXT) * 3, stride=5).loss, rel=1e-6)
    assert score(decoder, BOS + TEXT, max_chunks=1, bos="never").tokens_scored == 15


def test_prompts_of_a_task(adding: PreTrainedTokenizerBase) -> None:
    plain, marked = task_of(adding, ""), task_of(adding, BOS)
    for one, other in zip(plain.items, marked.items, strict=True):
        for choice in range(2):
            assert one.sequence(choice).tolist() == other.sequence(choice).tolist()
        assert one.scored == other.scored and one.trunk[0] == adding.bos_token_id
    assert (plain.info.bos_in_text, marked.info.bos_in_text) == (0, 1)
    assert [token.id for token in marked.info.first_tokens] == marked.items[0].sequence(0)[:16].tolist()


def test_prompts_that_are_continued(adding: PreTrainedTokenizerBase) -> None:
    adding.chat_template = "{{ bos_token }}{% for turn in messages %}[{{ turn.content }}]{% endfor %}"
    decoder = decoder_of(adding)
    for chat in (False, True):
        options = GenerateOptions(max_new_tokens=2, chat=chat)
        prompts = [TRAINING[0], BOS + TRAINING[0], BOS + BOS + TRAINING[0]]
        plain, marked, twice = generate(Subnetwork.dense(decoder), prompts, options, JOB).generations
        assert plain.token_ids == marked.token_ids == twice.token_ids
        assert plain.prompt_tokens == marked.prompt_tokens == twice.prompt_tokens
        assert plain.first_tokens == marked.first_tokens and plain.first_tokens[0].id == adding.bos_token_id
        assert [one.bos_in_text for one in (plain, marked, twice)] == [False, True, True]


def test_a_tokenizer_that_adds_none_leaves_the_one_in_the_text() -> None:
    tokenizer = byte_level(bos=True)
    marked = corpus_of(tokenizer, [BOS + TEXT])
    assert marked.ids[0] == tokenizer.bos_token_id and not marked.info.bos_added
    assert marked.info.bos_in_text == 1 and marked.ids[1] != tokenizer.bos_token_id
    (written,) = generate(
        Subnetwork.dense(decoder_of(tokenizer)), [BOS + TEXT[:20]], GenerateOptions(max_new_tokens=1), JOB
    ).generations
    assert written.bos_in_text and written.first_tokens[1].id != tokenizer.bos_token_id
