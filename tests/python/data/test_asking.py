"""Multiple choice in a chat template: what stands in which turn, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from data.builders import BOS, byte_level
from data.test_tasks import ARC, HEADER, MMLU, texts
from depthkit_worker.contract.wire import OwnRows, TaskOptions, TaskTemplate
from depthkit_worker.data.tasks import Task, load_task
from depthkit_worker.data.tokens import Tokeniser
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.limits import Limits
from depthkit_worker.session.job import Unattended

TEMPLATE = "{% for m in messages %}[{{ m.role }}]{{ m.content }}|{% endfor %}[assistant]"


def conversing(
    template: str = TEMPLATE, *, bos: bool = False, adds_bos: bool = False
) -> PreTrainedTokenizerBase:
    tokenizer = byte_level(bos=bos, adds_bos=adds_bos)
    tokenizer.chat_template = template
    return tokenizer


def load(
    tokenizer: PreTrainedTokenizerBase, rows: list[dict[str, Any]], context: int | None = None, **options: Any
) -> Task:
    data = OwnRows(rows=tuple(map(json.dumps, rows)))
    wanted = TaskOptions(**{"chat_template": True, **options})
    return load_task(Tokeniser(tokenizer, Limits(tokens=context)), data, wanted, Unattended())


def test_a_question_is_a_users_turn_and_each_choice_the_reply() -> None:
    tokenizer = conversing()
    task = load(tokenizer, [ARC])
    context = "[user]Question: Why is it so?\nAnswer:|[assistant]"
    assert texts(tokenizer, task.items[0]) == [(context, choice) for choice in ("one", "two", "three")]
    assert task.info.chat_template
    plain = load(tokenizer, [ARC], chat_template=False)
    assert not plain.info.chat_template
    assert plain.info.digest != task.info.digest
    # Its own delimiter is that of plain text.
    own = TaskTemplate(prompt="{question}", choices="choices", answer="answer", delimiter=" -> ")
    assert texts(tokenizer, load(tokenizer, [ARC], format=own).items[0])[1] == (
        "[user]Why is it so?|[assistant]",
        "two",
    )


def test_examples_are_turns_behind_the_systems() -> None:
    tokenizer = conversing()
    first = {**MMLU, "question": "Where?", "answer": 0}
    (item,) = load(tokenizer, [first, MMLU], shots=1).items
    lines = "\nA. w\nB. x\nC. y\nD. z\nAnswer:"
    context = f"[system]{HEADER}|[user]Where?{lines}|[assistant]A|[user]What?{lines}|[assistant]"
    assert texts(tokenizer, item) == [(context, letter) for letter in "ABCD"]


def test_contexts_that_differ_have_a_conversation_each() -> None:
    tokenizer = conversing()
    row = {"task": "winogrande", "sentence": "Ann met Sue, and _ ran.", "option1": "Ann", "option2": "Sue"}
    (item,) = load(tokenizer, [{**row, "answer": "1"}]).items
    assert texts(tokenizer, item) == [
        ("[user]Ann met Sue, and Ann|[assistant]", "ran."),
        ("[user]Ann met Sue, and Sue|[assistant]", "ran."),
    ]


def test_what_is_too_long_loses_its_first_examples_as_whole_turns() -> None:
    tokenizer = conversing()
    rows = [{**ARC, "question": f"Number {number}?"} for number in range(4)]
    (whole,) = load(tokenizer, rows, shots=3).items
    (cut,) = load(tokenizer, rows, context=whole.longest - 1, shots=3).items
    assert (cut.shots_dropped, cut.tokens_cut) == (1, 0)
    context, _ = texts(tokenizer, cut)[0]
    assert context.startswith("[user]Question: Number 1?\nAnswer:|[assistant]two|[user]Question: Number 2?")


@pytest.mark.parametrize("adds", [False, True])
def test_a_template_with_a_bos_token_leaves_one(adds: bool) -> None:
    tokenizer = conversing("{{ bos_token }}" + TEMPLATE, bos=True, adds_bos=adds)
    task = load(tokenizer, [ARC])
    ids = task.items[0].sequence(0).tolist()
    assert ids[0] == tokenizer.bos_token_id
    assert ids.count(tokenizer.bos_token_id) == 1
    assert (task.info.bos_added, task.info.bos_in_text) == (adds, 1)
    assert str(tokenizer.decode(ids)).startswith(BOS + "[user]")


@pytest.mark.parametrize(
    ("template", "row", "code", "said"),
    [
        (None, ARC, "INVALID_ARGUMENT", "has no chat template. Leave chatTemplate off"),
        (
            TEMPLATE,
            {"task": "lambada", "context": "He went to the", "target": "docks"},
            "INVALID_ARGUMENT",
            "no question to put into a turn",
        ),
        (
            "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + TEMPLATE,
            MMLU,
            "MODEL_INVALID",
            "no system. Leave chatTemplate off",
        ),
    ],
)
def test_what_cannot_be_a_conversation_is_refused(
    template: str | None, row: dict[str, Any], code: str, said: str
) -> None:
    tokenizer = byte_level()
    tokenizer.chat_template = template
    with pytest.raises(DepthkitError, match=said) as failure:
        load(tokenizer, [row])
    assert failure.value.code == code
