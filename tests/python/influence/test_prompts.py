"""Features of prompts: what they are means of, and what they do not look at."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from torch import LongTensor, Tensor

from depthkit_worker.contract.wire import PromptOptions
from depthkit_worker.data.tasks import Task
from depthkit_worker.data.tokens import Ids
from depthkit_worker.errors import DepthkitError
from depthkit_worker.influence.prompts import prompt_features, prompts_of
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.job import Unattended
from influence.builders import corpus_of, llama, random_rows
from task_items import random_task

LENGTHS = (12, 9, 12, 5)


def rows_of(lengths: tuple[int, ...] = LENGTHS) -> list[Ids]:
    return prompts_of(corpus_of(random_rows(*lengths)))


def features(decoder: Decoder, rows: list[Ids], *, batch: int = 2, **options: int) -> Tensor:
    return prompt_features(decoder, rows, PromptOptions(**options), batch, Unattended())


def by_definition(decoder: Decoder, row: Ids, tokens: int, boundary: int) -> Tensor:
    ids = torch.from_numpy(np.asarray(row[:tokens], dtype=np.int64))[None]
    states = decoder.model(input_ids=cast("LongTensor", ids), output_hidden_states=True).hidden_states
    state = states[boundary][0].double()
    mean: Tensor = (state / state.norm(dim=-1, keepdim=True)).mean(0)
    return mean


@pytest.mark.parametrize("boundary", [0, 2])
@torch.no_grad()
def test_they_are_the_mean_direction_of_the_first_tokens(boundary: int) -> None:
    decoder, rows = llama(), rows_of()
    found = features(decoder, rows, tokens=7, boundary=boundary)
    assert found.dtype == torch.float64
    expected = torch.stack([by_definition(decoder, row, 7, boundary) for row in rows])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    torch.testing.assert_close(found, features(decoder, rows, batch=1, tokens=7, boundary=boundary))


def test_what_stands_behind_the_prompt_changes_nothing() -> None:
    decoder, rows = llama(), rows_of((12, 12))
    other = [np.concatenate([row[:4], row[4:][::-1]]) for row in rows]
    assert any(not np.array_equal(one, two) for one, two in zip(rows, other, strict=True))
    for boundary in (0, 3):
        here = features(decoder, rows, tokens=4, boundary=boundary)
        assert torch.equal(here, features(decoder, other, tokens=4, boundary=boundary))


def test_a_boundary_that_is_not_there_and_a_broken_stream_are_refused() -> None:
    decoder = llama()
    with pytest.raises(DepthkitError, match=f"the boundary is at most {decoder.depth}"):
        features(decoder, rows_of(), boundary=decoder.depth + 1)
    broken = llama(nan_block=2)
    assert features(broken, rows_of(), boundary=2).isfinite().all()
    with pytest.raises(DepthkitError, match="in front of block 3 is not finite on prompt 1"):
        features(broken, rows_of(), boundary=3)


def test_a_question_s_prompt_has_nothing_of_its_choices() -> None:
    task = random_task()
    prompts = prompts_of(task)
    for number, (item, prompt) in enumerate(zip(task.items, prompts, strict=True)):
        # Of item 2 one token that is scored stands in what the choices share.
        assert np.array_equal(prompt, item.trunk[: len(item.trunk) - (number == 2)])
    without = replace(task.items[3], trunk=task.items[3].trunk[:0])
    items = (*task.items[:3], without)
    with pytest.raises(DepthkitError, match="the choices of item 4 share no token"):
        prompts_of(Task(items, task.info, task.tokenizer_digest))
