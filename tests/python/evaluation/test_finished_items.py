"""What is known of items is not done again, and what belongs to another evaluation is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import GenerateOptions, PerplexityOptions
from depthkit_worker.data.stream import make_stream
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.data.tokens import Tokeniser
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.finished_items import Array, FinishedItems
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.perplexity import perplexity
from depthkit_worker.evaluation.task_scores import task_scores
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from task_items import random_task
from tiny import t_llama

Run = Callable[[FinishedItems], list[list[float]]]
"""Evaluates and gives the values of every item."""


def perplexity_run(words: PreTrainedTokenizerBase) -> Run:
    decoder = Decoder(t_llama(), words)
    text = " ".join(f"t{3 + 7 * n % 80}" for n in range(50))
    options = PerplexityOptions(chunk=8, batch_size=2, bos="never")
    stream = make_stream(Tokeniser(words), texts_from_strings([text]), options, Unattended())

    def run(finished: FinishedItems) -> list[list[float]]:
        chunks = perplexity(
            Subnetwork.dense(decoder), stream, options, Unattended(), finished=finished
        ).chunks
        return [finished[chunk].tolist() for chunk in range(chunks)]

    return run


def choices_run(_: PreTrainedTokenizerBase) -> Run:
    decoder, task = Decoder(t_llama()), random_task()

    def run(finished: FinishedItems) -> list[list[float]]:
        scores = task_scores(Subnetwork.dense(decoder), task, Unattended(), batch_size=2, finished=finished)
        return [of_item.tolist() for of_item in scores.log_likelihoods]

    return run


def last_word_run(_: PreTrainedTokenizerBase) -> Run:
    decoder, task = Decoder(t_llama()), random_task(choices=1, kind="last-word")

    def run(finished: FinishedItems) -> list[list[float]]:
        scores = task_scores(Subnetwork.dense(decoder), task, Unattended(), batch_size=2, finished=finished)
        both = zip(scores.log_likelihoods, scores.greedy, strict=True)
        return [[float(score[0]), float(greedy[0])] for score, greedy in both]

    return run


def generation_run(batch_size: int) -> Callable[[PreTrainedTokenizerBase], Run]:
    def make(words: PreTrainedTokenizerBase) -> Run:
        decoder = Decoder(t_llama(), words)
        prompts = [f"t{3 + n} t{40 + n}" + " t5" * n for n in range(5)]

        def run(finished: FinishedItems) -> list[list[float]]:
            options = GenerateOptions(max_new_tokens=4, batch_size=batch_size)
            result = generate(Subnetwork.dense(decoder), prompts, options, Unattended(), finished=finished)
            return [list(map(float, written.token_ids)) for written in result.generations]

        return run

    return make


RUNS = {
    "perplexity": perplexity_run,
    "choices": choices_run,
    "last-word": last_word_run,
    "one-by-one": generation_run(1),
    "in-batches": generation_run(2),
}


@pytest.mark.parametrize("name", RUNS)
def test_what_is_known_is_taken_as_it_is_and_the_rest_told_as_it_is_found(
    name: str, words: PreTrainedTokenizerBase
) -> None:
    run = RUNS[name](words)
    told: dict[int, Array] = {}

    def tell(items: Sequence[int], values: Sequence[Array]) -> None:
        told.update(zip(items, values, strict=True))

    straight = run(FinishedItems(tell=tell))
    assert [told[item].tolist() for item in range(len(straight))] == straight

    # Numbers no model gives show that nothing known is computed again.
    marked = {item: np.full(len(straight[item]), 77.0) for item in (0, 3)}
    told.clear()
    resumed = run(FinishedItems(marked, tell))
    assert sorted(told) == [item for item in range(len(straight)) if item not in marked]
    for item, values in enumerate(resumed):
        expected = marked[item].tolist() if item in marked else straight[item]
        np.testing.assert_allclose(values, expected, rtol=1e-5)

    told.clear()
    everything = {item: np.array(values) for item, values in enumerate(straight)}
    assert run(FinishedItems(everything, tell)) == straight
    assert told == {}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize(("item", "values"), [(1000, 1), (0, 9), (0, 0)])
def test_what_is_known_of_another_evaluation_is_refused(
    name: str, item: int, values: int, words: PreTrainedTokenizerBase
) -> None:
    run = RUNS[name](words)
    with pytest.raises(DepthkitError) as refused:
        run(FinishedItems({item: np.zeros(values)}))
    assert refused.value.code == "INVALID_ARGUMENT"
    assert refused.value.details["item"] == item
