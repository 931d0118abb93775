"""A model whose logits are NaN or infinite writes nothing and scores nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import (
    EngineOptions,
    GenerateOptions,
    GenerationTaskOptions,
    Measure,
    OwnRows,
    PerplexityOptions,
    SolveOptions,
    TaskKind,
)
from depthkit_worker.data.generation_tasks import load_generation_task
from depthkit_worker.data.stream import make_stream
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.data.tokens import Tokeniser
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.finished_items import FinishedItems
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.generation_tasks import solve
from depthkit_worker.evaluation.perplexity import perplexity
from depthkit_worker.evaluation.task_scores import task_scores
from depthkit_worker.export.verify import check_built
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.logits import Reader
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import EngineResult, evaluate_subnetworks
from depthkit_worker.subnetworks.masks import Subnetworks
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from influence.builders import corpus_of
from task_items import random_task
from tiny import tiny_model, token_ids

PROMPTS = ("t7 t30 t11", "t54", "t80 t4")


@torch.no_grad()
def with_nan(decoder: Decoder) -> None:
    decoder.model.get_parameter("model.layers.2.mlp.down_proj.weight")[3, 5] = torch.nan


@torch.no_grad()
def overflowing(decoder: Decoder) -> None:
    """P-overflow: fine in bfloat16, infinite in float16."""
    block = decoder.model.get_submodule("model.layers.3.mlp")
    block.get_parameter("up_proj.weight").mul_(30)
    block.get_parameter("down_proj.weight").mul_(3e4)
    decoder.model.half()


def broken(make: Callable[[Decoder], None], words: PreTrainedTokenizerBase) -> Subnetwork:
    decoder = Decoder(tiny_model("llama"), words)
    make(decoder)
    return Subnetwork.dense(decoder)


@pytest.mark.parametrize("make", [with_nan, overflowing])
@pytest.mark.parametrize(
    "options",
    [
        GenerateOptions(max_new_tokens=4),
        GenerateOptions(max_new_tokens=4, cache=False),
        GenerateOptions(max_new_tokens=4, temperature=0.7, top_p=0.9),
        GenerateOptions(max_new_tokens=4, batch_size=3),
    ],
    ids=["greedy", "no-cache", "sampled", "batch"],
)
def test_nothing_is_written(
    make: Callable[[Decoder], None], options: GenerateOptions, words: PreTrainedTokenizerBase
) -> None:
    subnetwork = broken(make, words)
    with pytest.raises(DepthkitError, match="NaN or infinite at step 0") as caught:
        generate(subnetwork, PROMPTS, options, Unattended())
    assert caught.value.code == "NOT_MEASURABLE"
    size = options.batch_size
    dtype = str(subnetwork.decoder.dtype).removeprefix("torch.")
    assert caught.value.details == {"item": 0, "step": 0, "dtype": dtype, "items": size, "of": size}


def test_no_answer_is_counted_wrong(words: PreTrainedTokenizerBase) -> None:
    rows = OwnRows(rows=('{"question": "t7", "answer": "t8"}', '{"question": "t9", "answer": "t8"}'))
    options = GenerationTaskOptions(prompt="{question}")
    task = load_generation_task(rows, options, Unattended())
    with pytest.raises(DepthkitError) as caught:
        solve(broken(with_nan, words), task, SolveOptions(max_new_tokens=2), Unattended())
    assert caught.value.code == "NOT_MEASURABLE" and caught.value.details["items"] == 2


@pytest.mark.parametrize("kind", ["choices", "last-word"])
def test_no_choice_is_taken(kind: TaskKind, words: PreTrainedTokenizerBase) -> None:
    task = random_task(3, kind=kind)
    with pytest.raises(DepthkitError, match="NaN or infinite at step 0") as caught:
        task_scores(broken(with_nan, words), task, Unattended(), batch_size=3)
    assert caught.value.code == "NOT_MEASURABLE"
    assert caught.value.details == {"item": 0, "step": 0, "dtype": "float32", "items": 3, "of": 3}


def test_no_perplexity_is_told(words: PreTrainedTokenizerBase) -> None:
    options = PerplexityOptions(chunk=4, batch_size=2)
    stream = make_stream(Tokeniser(words), texts_from_strings(["t7 t8 t9 t10 " * 6]), options, Unattended())
    told: list[int] = []
    finished = FinishedItems({0: np.ones(1)}, lambda items, _: told.extend(items))
    with pytest.raises(DepthkitError, match="chunk 1 are NaN") as caught:
        perplexity(broken(with_nan, words), stream, options, Unattended(), finished=finished)
    assert caught.value.details == {"item": 1, "step": 0, "dtype": "float32", "items": 2, "of": 2}
    assert told == []


@pytest.mark.parametrize("measure", ["loss", "kl", "logit-distance"])
def test_a_subnetwork_that_breaks_is_said_and_a_model_that_is_broken_refused(measure: Measure) -> None:
    decoder = Decoder(tiny_model("llama"))
    with_nan(decoder)
    corpus = corpus_of([token_ids(1, 8, seed=row)[0].tolist() for row in range(4)])

    def evaluate(*kept: list[bool]) -> EngineResult:
        subnetworks = Subnetworks((Unit("block", 1), Unit("block", 2)), np.array(kept))
        return evaluate_subnetworks(
            decoder, corpus, subnetworks, (measure,), EngineOptions(batch_size=2), Unattended()
        )

    for asked in ([[True, True]], [[True, False], [True, True]]):
        with pytest.raises(DepthkitError, match="Measuring subnetworks") as caught:
            evaluate(*asked)
        assert caught.value.details == {"item": 0, "step": 0, "dtype": "float32", "items": 2, "of": 2}
    result = evaluate([False, True], [False, False])
    (note,) = (note for note in result.notes if "NaN or infinite" in note)
    assert 0 in result.not_finite and "in 4 of 4 sequences, first in 0 at step 0, in float32" in note
    # Without the block that is broken there is a loss, and nothing to compare with.
    assert result.not_finite == ((0,) if measure == "loss" else (0, 1))


def test_no_checkpoint_is_compared_with_it(words: PreTrainedTokenizerBase) -> None:
    subnetwork = broken(with_nan, words)
    with pytest.raises(DepthkitError, match="Comparing the checkpoint") as caught:
        check_built(subnetwork, subnetwork.decoder.model)
    assert (caught.value.code, caught.value.details["dtype"]) == ("NOT_MEASURABLE", "float32")


def test_one_broken_row_is_named_among_the_whole_ones() -> None:
    logits = torch.zeros(3, 2, 5)
    logits[1, 1, 4] = torch.inf
    logits[2, 0, 0] = -torch.inf  # a token that is ruled out is none that is broken
    with pytest.raises(DepthkitError) as caught:
        Reader("Trying", torch.float32).check(logits, (7, 8, 9), 5)
    assert caught.value.details == {"item": 8, "step": 6, "dtype": "float32", "items": 1, "of": 3}
