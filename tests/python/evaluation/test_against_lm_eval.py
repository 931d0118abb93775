"""The scorer of choices against lm-eval itself on the bundled model: prompts, log-likelihoods and verdicts of
short items, one by one. `bench/lm-eval/against_lm_eval.py` does a hundred items per task. Skipped where the
extra is not installed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from against_lm_eval import BIAS, BOUND, compare, own_scores
from data.resources import shared, smollm2
from depthkit_worker.models.units import Unit
from fp64 import in_fp64, log_likelihoods
from lm_eval_tasks import LocalTask, lm_eval_scores

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("lm_eval") is None, reason="lm-eval is not installed"
)

AGREED = 1e-3
"""Nats between lm-eval as it is and the scorer, where choices are as short as here: its softmax is off by up
to `BIAS` a token, which long choices add up to more."""


def rows_of(name: str) -> list[dict[str, Any]]:
    with (shared() / "data" / f"{name}.jsonl").open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def task_of(name: str, rows: list[dict[str, Any]], folder: Path) -> LocalTask:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return LocalTask(name, path, shared() / "data" / "mmlu_dev.jsonl" if name == "mmlu" else None)


def shortest(name: str, count: int) -> list[dict[str, Any]]:
    """Of the first hundred rows, with the examples in front of them, in the file's order."""
    rows = rows_of("mmlu_anchor100" if name == "mmlu" else name)[:100]
    examples = rows_of("mmlu_dev") if name == "mmlu" else []

    def size(row: dict[str, Any]) -> int:
        return sum(len(str(of)) for of in [row, *(of for of in examples if of["subject"] == row["subject"])])

    limit = sorted(map(size, rows))[count - 1]
    return [row for row in rows if size(row) <= limit][:count]


@pytest.mark.parametrize(
    ("name", "count", "units"),
    [
        ("arc_easy", 6, ()),
        ("arc_easy", 4, (Unit("block", 24), Unit("attention", 20))),
        ("piqa", 8, ()),
        ("boolq", 5, ()),
        ("mmlu", 5, ()),
    ],
)
def test_items_score_as_they_do_by_lm_eval(
    name: str, count: int, units: tuple[Unit, ...], bundled_model: Path, tmp_path: Path
) -> None:
    decoder, task = smollm2(bundled_model), task_of(name, shortest(name, count), tmp_path)
    theirs = lm_eval_scores(decoder, task, units=units, batch_size=4)
    own = own_scores(decoder, task, units=units, batch_size=4)
    found = compare(decoder, own, theirs)
    assert len(own.task.items) == len(theirs.items) == count
    assert found.same_prompts, "token by token"
    assert found.same_verdicts, "what is chosen and whether it is right, item by item"
    assert own.result.acc.micro == sum(item.right for item in theirs.items) / count
    assert found.farthest <= AGREED
    assert found.beyond_bias <= BOUND


@pytest.mark.parametrize(("name", "count"), [("arc_easy", 4), ("mmlu", 2)])
def test_conversations_score_as_they_do_by_lm_eval(
    name: str, count: int, bundled_model: Path, tmp_path: Path
) -> None:
    decoder, task = smollm2(bundled_model), task_of(name, shortest(name, count), tmp_path)
    theirs = lm_eval_scores(decoder, task, batch_size=4, chat_template=True)
    own = own_scores(decoder, task, batch_size=4, chat_template=True)
    found = compare(decoder, own, theirs)
    assert own.task.info.chat_template
    assert theirs.items[0].prompts[0].count("<|im_start|>assistant") == task.shots + 1
    assert found.same_prompts, "token by token"
    assert found.same_verdicts, "what is chosen and whether it is right, item by item"
    assert found.farthest <= AGREED
    plain = own_scores(decoder, task, batch_size=4)
    assert not plain.task.info.chat_template
    assert plain.task.info.digest != own.task.info.digest


def test_where_a_long_choice_differs_it_is_the_harness_softmax_that_is_off(
    bundled_model: Path, tmp_path: Path
) -> None:
    """The longest choice of the first hundred items. The harness takes log-softmaxes in the logits' dtype
    unless told otherwise; told to take them in fp64, it agrees, and so does the model in fp64 throughout."""
    decoder = smollm2(bundled_model)
    row = max(rows_of("piqa")[:100], key=lambda row: max(map(len, row["choices"])))
    task = task_of("piqa", [row], tmp_path)
    own = own_scores(decoder, task)
    plain, precise = (lm_eval_scores(decoder, task, softmax_dtype=dtype) for dtype in (None, "float64"))
    (item,), (scores,) = own.task.items, own.log_likelihoods
    exact = log_likelihoods(in_fp64(decoder.model), item)
    assert scores == pytest.approx(exact, rel=0, abs=BOUND)
    assert precise.items[0].log_likelihoods == pytest.approx(exact, rel=0, abs=BOUND)
    for theirs, of, tokens in zip(plain.items[0].log_likelihoods, exact, item.scored, strict=True):
        assert theirs == pytest.approx(of, rel=0, abs=BOUND + BIAS * tokens)
