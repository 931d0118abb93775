"""Corpora that a model writes, against the whole text computed anew for every token."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import CorpusWriteOptions
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.data.tokens import ids_digest
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.finished_items import Array, FinishedItems
from depthkit_worker.evaluation.written_corpus import SEQUENCE_STRIDE, write_corpus
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.job import Unattended, cancelled
from influence.builders import corpus_of, random_rows
from tiny import tiny_model

LENGTHS = (9, 4, 12, 7, 9)
END = 2


def write(decoder: Decoder, prompts: Corpus, **options: float | None) -> Corpus:
    return write_corpus(decoder, prompts, CorpusWriteOptions(**options), Unattended())  # type: ignore[arg-type]


def texts(corpus: Corpus) -> list[list[int]]:
    return [corpus.row(number).tolist() for number in range(corpus.sequences)]


@torch.no_grad()
def next_logits(decoder: Decoder, ids: Sequence[int]) -> Tensor:
    logits: Tensor = decoder.model(input_ids=torch.tensor([list(ids)]), use_cache=False).logits
    return logits[0, -1].double()


def by_hand(decoder: Decoder, prompt: list[int], new: int) -> list[int]:
    ids = list(prompt)
    while len(ids) < len(prompt) + new:
        ids.append(int(next_logits(decoder, ids).argmax()))
        if ids[-1] == END:
            break
    return ids


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma2", "falcon-parallel"])
def test_behind_each_beginning_stands_what_the_model_finds_likeliest(
    name: str, words: PreTrainedTokenizerBase
) -> None:
    decoder = Decoder(tiny_model(name), words)
    prompts = corpus_of(random_rows(*LENGTHS))
    made = write(decoder, prompts, prompt_tokens=5, new_tokens=8, batch_size=3)
    expected = [by_hand(decoder, row[:5], 8) for row in texts(prompts)]
    assert texts(made) == expected
    assert made.prompt_lengths == (5, 4, 5, 5, 5)
    info = made.info
    assert info.written is not None
    assert info.written.tokens == sum(map(len, expected)) - 24
    assert info.written.ended == sum(row[-1] == END for row in expected)
    assert (info.sequences, info.tokens, info.length) == (5, made.tokens, max(map(len, expected)))
    assert info.tokens_dropped == sum(LENGTHS) - 24
    assert info.tokens_digest == ids_digest(made.ids)
    assert info.written.prompts == prompts.info.tokens_digest


def test_a_text_that_the_model_ends_is_shorter(words: PreTrainedTokenizerBase) -> None:
    model = tiny_model("llama")
    decoder = Decoder(model, words)
    prompts = corpus_of(random_rows(*LENGTHS))
    free = texts(write(decoder, prompts, new_tokens=6))
    # What some text writes third ends texts from now on.
    end = free[2][LENGTHS[2] + 2]
    model.generation_config.eos_token_id = end
    made = write(decoder, prompts, new_tokens=6)
    for row, before, length in zip(texts(made), free, LENGTHS, strict=True):
        own = before[length:]
        assert row == before[:length] + (own[: own.index(end) + 1] if end in own else own)
    assert made.info.written is not None
    assert made.info.written.ended == sum(end in row[n:] for row, n in zip(free, LENGTHS, strict=True)) > 0


def test_sampling_inverts_the_distribution_at_the_draws_of_the_seed(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    prompts = corpus_of(random_rows(*LENGTHS))
    made = texts(write(decoder, prompts, new_tokens=5, temperature=1.5, seed=3, batch_size=2))
    for place, (prompt, row) in enumerate(zip(texts(prompts), made, strict=True)):
        draws = torch.Generator().manual_seed(3 + SEQUENCE_STRIDE * place)
        ids = list(prompt)
        for token in row[len(prompt) :]:
            shares = np.cumsum(torch.softmax(next_logits(decoder, ids) / 1.5, -1).numpy())
            assert token == int((shares <= float(torch.rand(1, generator=draws, dtype=torch.float64))).sum())
            ids.append(token)
    assert made != texts(write(decoder, prompts, new_tokens=5, temperature=1.5, seed=4))


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_batches_change_nothing_and_neither_does_an_interruption(
    temperature: float, words: PreTrainedTokenizerBase
) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    prompts = corpus_of(random_rows(*LENGTHS))
    whole = write(decoder, prompts, new_tokens=6, temperature=temperature, batch_size=1)
    kept: dict[int, Array] = {}

    class Interrupted(Unattended):
        def check(self) -> None:
            if len(kept) >= 2:
                raise cancelled()

    def tell(items: Sequence[int], values: Sequence[Array]) -> None:
        kept.update(zip(items, values, strict=True))

    options = CorpusWriteOptions(new_tokens=6, temperature=temperature, batch_size=2)
    with pytest.raises(DepthkitError, match="cancelled"):
        write_corpus(decoder, prompts, options, Interrupted(), finished=FinishedItems({}, tell))
    assert len(kept) == 2
    before = dict(kept)
    resumed = write_corpus(decoder, prompts, options, Unattended(), finished=FinishedItems(before, tell))
    assert len(kept) == len(LENGTHS)
    assert texts(resumed) == texts(whole)
    assert resumed.info == whole.info


def test_what_cannot_be_written_is_refused(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    prompts = corpus_of(random_rows(*LENGTHS))
    with pytest.raises(DepthkitError, match="no seed changes it") as seeded:
        write(decoder, prompts, seed=3)
    with pytest.raises(DepthkitError, match="newTokens") as long:
        write(decoder, prompts, new_tokens=250)
    assert {seeded.value.code, long.value.code} == {"INVALID_ARGUMENT"}


def test_known_sequences_of_another_writing_are_refused(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    prompts = corpus_of(random_rows(*LENGTHS))
    with pytest.raises(DepthkitError, match="are known of item 9"):
        write_corpus(
            decoder,
            prompts,
            CorpusWriteOptions(new_tokens=3),
            Unattended(),
            finished=FinishedItems({9: np.ones(2)}),
        )


def test_a_written_corpus_can_be_written_on(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    once = write(decoder, corpus_of(random_rows(*LENGTHS)), new_tokens=3)
    twice = write(decoder, once, new_tokens=3)
    assert [row[: len(before)] for row, before in zip(texts(twice), texts(once), strict=True)] == texts(once)
    assert dataclasses.replace(once).prompt_lengths == LENGTHS
