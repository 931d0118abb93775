"""Ids and lengths that a model cannot read are refused where text becomes tokens."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from transformers import GPT2Config, LlamaConfig, PreTrainedTokenizerBase

from data.builders import byte_level
from depthkit_worker.contract.wire import (
    CorpusOptions,
    GenerateOptions,
    GenerationTaskOptions,
    OwnRows,
    PerplexityOptions,
    SolveOptions,
    TaskOptions,
)
from depthkit_worker.data.corpus import Corpus, make_corpus
from depthkit_worker.data.generation_tasks import load_generation_task
from depthkit_worker.data.stream import make_stream
from depthkit_worker.data.tasks import load_task
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.generation_tasks import solve
from depthkit_worker.evaluation.perplexity import perplexity
from depthkit_worker.handlers.sources import check_readable
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.limits import Limits, longest_sequence
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import SHAPE, random_model

PLAIN = "The quick brown fox jumps over the lazy dog.\n" * 4
TOOL = "<tool_a>"
JOB = Unattended()


@pytest.fixture
def tools() -> Decoder:
    """P-addtok: a tokenizer with tokens that the model has no rows for."""
    tokenizer = byte_level(bos=True)
    rows = len(tokenizer)
    tokenizer.add_tokens([TOOL, "<tool_b>"])
    return decoder_of(tokenizer, rows)


def decoder_of(tokenizer: PreTrainedTokenizerBase, rows: int, context: int = 64, **config: Any) -> Decoder:
    shape = {**SHAPE, "vocab_size": rows, "max_position_embeddings": context, **config}
    return Decoder(random_model(LlamaConfig(**shape)), tokenizer)


def corpus_of(decoder: Decoder, texts: list[str], **options: Any) -> Corpus:
    given = CorpusOptions(**{"length": 8, **options})
    return make_corpus(tokeniser_of(decoder), texts_from_strings(texts), given, JOB)


def stream_and_perplexity(decoder: Decoder, text: str, **options: Any) -> None:
    given = PerplexityOptions(**{"chunk": 8, **options})
    stream = make_stream(tokeniser_of(decoder), texts_from_strings([PLAIN, text]), given, JOB)
    perplexity(Subnetwork.dense(decoder), stream, given, JOB)


def choices(decoder: Decoder, question: str) -> None:
    row = json.dumps({"question": question, "choices": ["one", "two"], "answer": 0})
    load_task(tokeniser_of(decoder), OwnRows(rows=(row, row)), TaskOptions(format="arc_easy"), JOB)


def written(decoder: Decoder, question: str) -> None:
    rows = OwnRows(rows=tuple(json.dumps({"question": text, "answer": "x"}) for text in ("plain", question)))
    task = load_generation_task(rows, GenerationTaskOptions(prompt="{question}"), JOB)
    solve(Subnetwork.dense(decoder), task, SolveOptions(max_new_tokens=2), JOB)


ENTRIES: dict[str, tuple[Callable[[Decoder, str], object], str]] = {
    "packed": (lambda decoder, text: corpus_of(decoder, [PLAIN, text]), "text 2, line 2"),
    "unpacked": (lambda decoder, text: corpus_of(decoder, [PLAIN, text], packing="none"), "text 2"),
    "perplexity": (stream_and_perplexity, "text 2, line 2"),
    "task": (choices, "a prompt that ends in"),
    "prompt": (
        lambda decoder, text: generate(
            Subnetwork.dense(decoder), ["plain", text], GenerateOptions(max_new_tokens=2), JOB
        ),
        "prompt 2",
    ),
    "solve": (written, "the prompt of row 2"),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_an_id_without_a_row_is_refused_with_its_place(name: str, tools: Decoder) -> None:
    call, place = ENTRIES[name]
    with pytest.raises(DepthkitError) as caught:
        call(tools, f"A fox and\na {TOOL} jump.\n" + PLAIN)
    error, rows = caught.value, tools.limits.rows
    assert error.code == "INVALID_ARGUMENT"
    assert (error.details["token"], error.details["id"], error.details["rows"]) == (TOOL, rows, rows)
    assert place in error.details["place"] and TOOL in error.message and "fox and" in error.message


def test_what_fits_passes(tools: Decoder) -> None:
    assert tools.limits == Limits(tools.vocabulary_size, 64)
    for call, _ in ENTRIES.values():
        call(tools, PLAIN[:80])


def test_sequences_beyond_the_context_are_refused(tools: Decoder) -> None:
    long = PLAIN * 20
    for packing in ("pack", "none"):
        assert corpus_of(tools, [long], length=64, packing=packing).longest == 64
        with pytest.raises(DepthkitError, match="at most 64") as caught:
            corpus_of(tools, [long], length=65, packing=packing)
        assert (caught.value.details["tokens"], caught.value.details["limit"]) == (65, 64)
    # A limit that no text reaches is none.
    assert corpus_of(tools, ["A fox."], length=512, packing="none").longest < 64
    with pytest.raises(DepthkitError, match="maxNewTokens") as caught:
        generate(Subnetwork.dense(tools), ["A fox"], GenerateOptions(max_new_tokens=64), JOB)
    assert caught.value.details["limit"] == 64


def test_data_of_a_larger_model_are_refused_by_a_smaller_one(tools: Decoder) -> None:
    tokenizer = tools.require_tokenizer()
    larger = decoder_of(tokenizer, len(tokenizer), context=256)
    with_tool = corpus_of(larger, [f"{TOOL} is a tool. " + PLAIN], length=16)
    with pytest.raises(DepthkitError, match="rows"):
        check_readable(with_tool, tools)
    long = corpus_of(larger, [PLAIN * 20], length=128)
    with pytest.raises(DepthkitError, match="at most 64"):
        check_readable(long, tools)
    check_readable(long, larger)


@pytest.mark.parametrize(
    ("rope", "expected"),
    [
        ({"rope_type": "default"}, 64),
        ({"rope_type": "dynamic", "factor": 4.0}, 256),
        ({"rope_type": "linear", "factor": 2.0}, 128),
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}, 128),
        ({"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32}, 64),
        (
            {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8,
            },
            64,
        ),
    ],
    ids=["default", "dynamic", "linear", "yarn", "yarn-reached", "llama3"],
)
def test_stretched_positions_reach_as_far_as_they_say(rope: dict[str, Any], expected: int) -> None:
    shape = {**SHAPE, "max_position_embeddings": 64}
    config = LlamaConfig(**shape, rope_parameters={"rope_theta": 1e4, **rope})
    assert longest_sequence(config) == expected
    tokenizer = byte_level()
    decoder = decoder_of(tokenizer, len(tokenizer), rope_parameters={"rope_theta": 1e4, **rope})
    stream_and_perplexity(decoder, PLAIN * 10, chunk=expected)
    with pytest.raises(DepthkitError):
        stream_and_perplexity(decoder, PLAIN * 10, chunk=expected + 1)


def test_learned_positions_end_where_their_rows_do() -> None:
    assert longest_sequence(GPT2Config(n_positions=128)) == 128
