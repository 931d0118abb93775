"""ROUGE-L against the package rouge-score, and tasks that are scored by it."""

from __future__ import annotations

import importlib
import json
import random
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import GenerateOptions, GenerationTaskOptions, OwnRows, SolveOptions
from depthkit_worker.data.generation_tasks import GenerationTask, load_generation_task
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.generation_tasks import solve
from depthkit_worker.evaluation.rouge import rouge_l
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import tiny_model

RougeScorer: Any = importlib.import_module("rouge_score.rouge_scorer").RougeScorer
"""It comes with lm-eval, and has no types."""
WORDS = [
    "the",
    "The",
    "cat",
    "cats",
    "sat",
    "on",
    "a",
    "mat",
    "42",
    "3.14",
    "don't",
    "\u00e9t\u00e9",
    "na\u00efve",
    "\u0130x",
    "-",
]
"""Few, so that they come up again; with capitals, digits, signs and letters beyond a to z."""
JOINTS = [" ", "  ", ", ", "\n", "-", "."]
PROMPTS = ["t7 t30 t11", "t54", "t80 t4 t66 t9 t10 t40 t41", "t5 t6"]


def some_text(chance: random.Random) -> str:
    return "".join(chance.choice(WORDS) + chance.choice(JOINTS) for _ in range(chance.randint(0, 90)))


def some_pairs() -> list[tuple[str, str]]:
    chance = random.Random(0)
    return [(some_text(chance), some_text(chance)) for _ in range(200)]


def task_of(rows: list[dict[str, object]], score: str) -> GenerationTask:
    options = GenerationTaskOptions(prompt="{question}", score=score)  # type: ignore[arg-type]
    return load_generation_task(OwnRows(rows=tuple(map(json.dumps, rows))), options, Unattended())


def test_200_pairs_score_as_the_package_scores_them() -> None:
    package = RougeScorer(["rougeL"])
    found = []
    for target, text in some_pairs():
        theirs = package.score(target, text)["rougeL"]
        own = rouge_l(target, text)
        assert own.f_measure == pytest.approx(theirs.fmeasure, abs=1e-6)
        assert own.precision == pytest.approx(theirs.precision, abs=1e-6)
        assert own.recall == pytest.approx(theirs.recall, abs=1e-6)
        found.append(own.f_measure)
    # Of all sizes, so that agreeing says something.
    assert len({round(value, 3) for value in found}) > 100
    assert rouge_l("!", "a") == rouge_l("a", "") == rouge_l("", "") == (0.0, 0.0, 0.0)


def test_a_task_has_the_best_of_each_items_targets(words: PreTrainedTokenizerBase) -> None:
    subnetwork = Subnetwork.dense(Decoder(tiny_model("llama"), words))
    texts = [
        one.text
        for one in generate(subnetwork, PROMPTS, GenerateOptions(max_new_tokens=6), Unattended()).generations
    ]
    targets: list[object] = [
        ["t1 t2", texts[0]],
        [" ".join(texts[1].split()[:3]), "t3"],
        "none of these",
        [texts[3] + " t9", texts[3] + " t9 t8"],
    ]
    rows: list[dict[str, object]] = [
        {"question": prompt, "answer": target} for prompt, target in zip(PROMPTS, targets, strict=True)
    ]
    options = SolveOptions(max_new_tokens=6, items=True)
    score = solve(subnetwork, task_of(rows, "rouge-l"), options, Unattended())
    package = RougeScorer(["rougeL"])
    lists = [target if isinstance(target, list) else [target] for target in targets]
    theirs = [package.score_multi(of, text)["rougeL"] for of, text in zip(lists, texts, strict=True)]
    assert score.score == "rouge-l"
    assert score.rouge_l is not None
    assert score.rouge_l.f_measure == pytest.approx(sum(one.fmeasure for one in theirs) / 4)
    assert score.rouge_l.precision == pytest.approx(sum(one.precision for one in theirs) / 4)
    assert score.rouge_l.recall == pytest.approx(sum(one.recall for one in theirs) / 4)
    middle = score.rouge_l.f_measure
    spread = sum((one.fmeasure - middle) ** 2 for one in theirs) / 3
    assert score.rouge_l.standard_error == pytest.approx((spread / 4) ** 0.5)
    assert score.per_item is not None
    assert [one.rouge_l for one in score.per_item] == pytest.approx([one.fmeasure for one in theirs])
    assert [one.target for one in score.per_item] == [texts[0], lists[1][0], "none of these", lists[3][0]]
    # Beside it, the answers that are a target.
    assert (score.correct, score.accuracy) == (1, 0.25)
    alone = solve(subnetwork, task_of(rows[:1], "rouge-l"), options, Unattended())
    assert alone.rouge_l is not None
    assert alone.rouge_l.standard_error is None


def test_several_targets_count_by_the_other_rules_too(words: PreTrainedTokenizerBase) -> None:
    subnetwork = Subnetwork.dense(Decoder(tiny_model("llama"), words))
    options = SolveOptions(max_new_tokens=6, items=True)
    (text,) = [
        one.text
        for one in generate(
            subnetwork, PROMPTS[:1], GenerateOptions(max_new_tokens=6), Unattended()
        ).generations
    ]
    rows: list[dict[str, object]] = [{"question": PROMPTS[0], "answer": ["t1", text]}]
    exact = solve(subnetwork, task_of(rows, "exact"), options, Unattended())
    assert (exact.correct, exact.rouge_l) == (1, None)
    assert exact.per_item is not None
    assert exact.per_item[0].target == text
    last = text.split("t")[-1]
    numbers: list[dict[str, object]] = [{"question": PROMPTS[0], "answer": [1234567, int(last)]}]
    number = solve(subnetwork, task_of(numbers, "number"), options, Unattended())
    assert number.correct == 1
    assert number.per_item is not None
    assert (number.per_item[0].target, number.per_item[0].number) == (last, last)
    numbers[0]["answer"] = [1234567, 7654321]
    assert solve(subnetwork, task_of(numbers, "number"), options, Unattended()).correct == 0


def test_the_targets_of_a_task_are_part_of_its_digest() -> None:
    digests = [
        task_of([{"question": "q", "answer": answer}], "rouge-l").info.digest
        for answer in ("a", ["a"], ["a", "b"], ["b", "a"], "ab")
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


@pytest.mark.parametrize(
    ("answer", "said"), [([], "empty list"), (["a", ""], "is empty"), ([["a"]], "it is a text")]
)
def test_a_list_without_a_target_is_refused(answer: object, said: str) -> None:
    with pytest.raises(DepthkitError, match=said) as failure:
        task_of([{"question": "q", "answer": answer}], "rouge-l")
    assert failure.value.details == {"row": 1, "field": "answer"}
