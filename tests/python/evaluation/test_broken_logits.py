"""A model whose logits are NaN or infinite writes nothing and scores nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import (
    ChoicesOptions,
    GenerateOptions,
    GenerationTaskOptions,
    OwnRows,
    SolveOptions,
)
from depthkit_worker.data.generation_tasks import load_generation_task
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.choices import choice_result
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.generation_tasks import solve
from depthkit_worker.evaluation.logits import check_logits
from depthkit_worker.evaluation.task_scores import task_scores
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from task_items import random_task
from tiny import tiny_model

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


def test_no_choice_is_taken(words: PreTrainedTokenizerBase) -> None:
    task = random_task(3)
    scores = task_scores(broken(with_nan, words), task, Unattended(), batch_size=ChoicesOptions().batch_size)
    with pytest.raises(DepthkitError, match="of 3 of 3 items") as caught:
        choice_result(task.items, scores, task_digest=task.info.digest)
    assert caught.value.code == "NOT_MEASURABLE"


def test_one_broken_row_is_named_among_the_whole_ones() -> None:
    logits = torch.zeros(3, 2, 5)
    logits[1, 1, 4] = torch.inf
    logits[2, 0, 0] = -torch.inf  # a token that is ruled out is none that is broken
    with pytest.raises(DepthkitError) as caught:
        check_logits(logits, (7, 8, 9), 5, torch.float32, "Trying")
    assert caught.value.details == {"item": 8, "step": 5, "dtype": "float32", "items": 1, "of": 3}
