"""Texts that are drawn, and pass@k over several of them."""

from __future__ import annotations

import itertools
import json
import math

import pytest
import torch
from transformers import PreTrainedTokenizerBase, TopPLogitsWarper

from depthkit_worker.contract.wire import (
    GenerateOptions,
    GenerationSolveResult,
    GenerationTaskOptions,
    OwnRows,
    SolveOptions,
)
from depthkit_worker.data.generation_tasks import GenerationTask, load_generation_task
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.generation_tasks import pass_at, solve
from depthkit_worker.evaluation.next_tokens import NextTokens
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import FAMILY_MODELS, tiny_model

PROMPTS = ["t7 t30 t11", "t54", "t80 t4 t66 t9 t10 t40 t41", "t5 t6", "t5 t6"]
UNITS = (Unit("block", 1), Unit("attention", 0), Unit("feed-forward", 3))


def task_of(answers: list[str], score: str = "exact") -> GenerationTask:
    rows = [{"q": prompt, "answer": answer} for prompt, answer in zip(PROMPTS, answers, strict=False)]
    options = GenerationTaskOptions(prompt="{q}", score=score)  # type: ignore[arg-type]
    return load_generation_task(OwnRows(rows=tuple(map(json.dumps, rows))), options, Unattended())


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_a_drawn_text_is_the_same_alone_and_in_any_batch(name: str, words: PreTrainedTokenizerBase) -> None:
    subnetwork = Subnetwork(Decoder(tiny_model(name), words), UNITS)
    alone, three, eight = (
        generate(
            subnetwork,
            PROMPTS,
            GenerateOptions(max_new_tokens=8, temperature=0.9, top_p=0.95, seed=3, batch_size=size),
            Unattended(),
        ).generations
        for size in (1, 3, 8)
    )
    assert alone == three == eight
    # The same prompt twice is two draws.
    assert alone[3].token_ids != alone[4].token_ids


def test_tokens_are_drawn_as_often_as_their_probability_says() -> None:
    logits = torch.tensor([[2.0, 0.5, -torch.inf, 1.0, -1.0]])
    for temperature, top_p in ((1.0, 1.0), (2.0, 1.0), (1.0, 0.8)):
        options = GenerateOptions(temperature=temperature, top_p=top_p, seed=11)
        tokens = NextTokens(options, [(0, 0)])
        counts = torch.bincount(
            torch.tensor([tokens.choose(logits)[0] for _ in range(4000)]), minlength=5
        ).double()
        scaled = logits.double() / temperature
        if top_p < 1:
            scaled = TopPLogitsWarper(top_p)(torch.zeros((1, 1), dtype=torch.long), scaled)
        expected = 4000 * torch.softmax(scaled, -1)[0]
        assert bool((counts[expected == 0] == 0).all())
        possible = expected > 0
        chi_squared = ((counts - expected)[possible] ** 2 / expected[possible]).sum()
        # 16.3 is the 99.9% quantile with 3 degrees of freedom; the draws are the seed's.
        assert chi_squared < 16.3


def test_a_text_that_goes_on_keeps_its_own_numbers() -> None:
    logits = torch.zeros((3, 1000))
    options = GenerateOptions(temperature=1.0, seed=5)
    whole, part = (NextTokens(options, [(0, 0), (1, 0), (1, 1)]) for _ in range(2))
    assert whole.choose(logits) == part.choose(logits)
    part = part.keep([0, 2])
    first, _, third = whole.choose(logits)
    assert part.choose(logits[:2]) == [first, third]
    other = NextTokens(GenerateOptions(temperature=1.0, seed=6), [(0, 0), (1, 0), (1, 1)])
    assert len({*other.choose(logits), first, third}) == 5


def test_pass_at_k_is_the_share_of_subsets_with_a_right_answer() -> None:
    for n in range(1, 7):
        for right in range(n + 1):
            for k in range(1, n + 1):
                sets = list(itertools.combinations([True] * right + [False] * (n - right), k))
                assert pass_at(k, n, right) == pytest.approx(sum(map(any, sets)) / len(sets))
    # Binomials beyond a double's range.
    assert pass_at(1000, 4000, 1) == pytest.approx(0.25)


def solved(
    subnetwork: Subnetwork, task: GenerationTask, batch_size: int, samples: int
) -> GenerationSolveResult:
    options = SolveOptions(
        max_new_tokens=2,
        samples=samples,
        temperature=0.7,
        seed=1,
        pass_at=(1, 3, samples),
        items=True,
        batch_size=batch_size,
    )
    return solve(subnetwork, task, options, Unattended())


def test_pass_at_k_of_samples_is_the_estimator_over_questions(words: PreTrainedTokenizerBase) -> None:
    subnetwork = Subnetwork(Decoder(tiny_model("llama"), words), UNITS)
    # What is drawn does not depend on the targets: first the texts, then tasks that have some of them right.
    first = solved(subnetwork, task_of(["x"] * 5), 8, 6)
    assert first.per_item is not None
    assert first.correct == 0
    assert [value.value for value in first.pass_at] == [0, 0, 0]
    texts = [[one.text for one in first.per_item[at : at + 6]] for at in range(0, 30, 6)]
    answers = [*(of_item[2] for of_item in texts[:4]), "x"]
    right = [of_item.count(answer) for of_item, answer in zip(texts, answers, strict=True)]
    score = solved(subnetwork, task_of(answers), 8, 6)
    assert (score.items, score.samples, score.correct) == (5, 6, sum(right))
    assert score.accuracy == pytest.approx(sum(right) / 30)
    for found, k in zip(score.pass_at, (1, 3, 6), strict=True):
        values = [pass_at(k, 6, of_item) for of_item in right]
        assert found.k == k
        assert found.value == pytest.approx(sum(values) / 5)
        spread = sum((value - found.value) ** 2 for value in values) / 4
        assert found.standard_error == pytest.approx(math.sqrt(spread / 5))
    assert score.pass_at[0].value == pytest.approx(score.accuracy)
    assert score.pass_at[0].standard_error == pytest.approx(score.standard_error)
    assert score.pass_at[2].value == 0.8
    assert score.per_item is not None
    assert [one.sample for one in score.per_item] == list(range(6)) * 5
    assert [one.place for one in score.per_item[5:7]] == ["row 1", "row 2"]
    # The same, however many are written at a time, and whatever more samples there are.
    assert solved(subnetwork, task_of(answers), 1, 6).per_item == score.per_item
    more = solved(subnetwork, task_of(answers), 7, 9).per_item
    assert more is not None
    assert [one for one in more if one.sample < 6] == list(score.per_item)


@pytest.mark.parametrize(
    ("options", "score", "said"),
    [
        (SolveOptions(samples=4), "exact", "temperature above 0"),
        (SolveOptions(samples=4, temperature=0.5, pass_at=(1, 5)), "exact", "k is at most"),
        (SolveOptions(pass_at=(2,)), "exact", "k is at most"),
        (SolveOptions(pass_at=(1,)), "rouge-l", "neither right nor wrong"),
        (SolveOptions(seed=2), "exact", "leave them out"),
        (SolveOptions(top_p=0.5), "exact", "leave them out"),
    ],
)
def test_what_says_nothing_is_refused(
    options: SolveOptions, score: str, said: str, words: PreTrainedTokenizerBase
) -> None:
    subnetwork = Subnetwork.dense(Decoder(tiny_model("llama"), words))
    with pytest.raises(DepthkitError, match=said) as failure:
        solve(subnetwork, task_of(["t1"], score), options, Unattended())
    assert failure.value.code == "INVALID_ARGUMENT"
