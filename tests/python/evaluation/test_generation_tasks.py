"""Items from JSON lines, answers written in batches, and what counts as right."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from torch import nn
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import (
    GenerateOptions,
    Generation,
    GenerationTaskOptions,
    OwnRows,
    RowFiles,
    SolveOptions,
)
from depthkit_worker.data.generation_tasks import GenerationTask, load_generation_task
from depthkit_worker.data.numbers import number_in
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.generation_tasks import solve
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import FAMILY_MODELS, tiny_model

PROMPTS = ["t7 t30 t11", "t54", "t80 t4 t66 t9 t10 t40 t41", "t5 t6", "t33 t34 t35 t36 t37", "t90 t91"]
UNITS = (Unit("block", 1), Unit("attention", 0), Unit("feed-forward", 3))
PROMPT = "Question: {question}\nAnswer:"


def write_lines(path: Path, records: list[dict[str, object]]) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


def load(path: str, options: GenerationTaskOptions) -> GenerationTask:
    return load_generation_task(RowFiles(files=(path,)), options, Unattended())


def template(prompt: str, **options: Any) -> GenerationTaskOptions:
    return GenerationTaskOptions(prompt=prompt, **options)


def write(
    decoder: Decoder,
    options: GenerateOptions,
    units: tuple[Unit, ...] = (),
    repairs: tuple[Repair, ...] = (),
) -> tuple[Generation, ...]:
    return generate(Subnetwork(decoder, units, repairs), PROMPTS, options, Unattended()).generations


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_the_text_is_the_same_alone_and_in_any_batch(name: str, words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model(name), words)
    for units in ((), UNITS):
        alone, three, eight = (
            write(decoder, GenerateOptions(max_new_tokens=8, batch_size=size), units) for size in (1, 3, 8)
        )
        assert alone == three == eight


def test_stop_strings_end_each_text_of_a_batch_by_itself(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    free = write(decoder, GenerateOptions(max_new_tokens=8))
    stop = (f"t{free[0].token_ids[2]}", f"t{free[3].token_ids[5]}")
    alone, eight = (
        write(decoder, GenerateOptions(max_new_tokens=8, stop=stop, batch_size=size)) for size in (1, 8)
    )
    assert alone == eight
    assert {written.finish for written in eight} >= {"stop"}
    assert any(len(written.token_ids) < 8 for written in eight)


def test_what_has_no_batched_form_is_refused(words: PreTrainedTokenizerBase) -> None:
    options = GenerateOptions(max_new_tokens=4, cache=False, batch_size=2)
    with pytest.raises(DepthkitError, match="one at a time"):
        generate(Subnetwork.dense(Decoder(tiny_model("llama"), words)), PROMPTS, options, Unattended())


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("She pays 3 * $4 = $12.\n#### 12", "12"),
        ("#### 1,234.50 dollars, not 7", "1234.50"),
        ("so the total is $1,234,567.", "1234567"),
        ("it was -5 at night", "-5"),
        ("a debt of -$3.20", "-3.20"),
        ("$-4", "-4"),
        ("5-3", "3"),
        ("from 2 to 7%", "7"),
        ("choose 1,2", "2"),
        ("about .5 of it", "0.5"),
        ("\u20ac10", "10"),
        ("#### none, but 3 above", "3"),
        ("2 first\n#### \u22128", "-8"),
        ("it costs $1 234", "1234"),
        ("it costs $ 12 345 678.50 in all", "12345678.50"),
        ("a debt of -\u20ac1 234", "-1234"),
        ("1 234 \u20ac", "1234"),
        ("12 000 people", "12000"),
        ("1 000 500", "1000500"),
        ("it is 1\u2009234\u2009567", "1234567"),
        ("1\u202f234,5", "5"),
        ("12\u00a0345.5", "12345.5"),
        ("1'234", "1234"),
        ("1_000_000", "1000000"),
        ("#### 1 234", "1234"),
        # Two numbers, not one.
        ("3 400 and 2", "2"),
        ("packs of 2 500 g", "500"),
        ("$5 1234", "1234"),
        ("$12 3456", "3456"),
        ("$1234 567", "567"),
        ("1,234 567", "567"),
        ("1\u2009234 567", "567"),
        ("$3 and 400", "400"),
        ("no number", None),
        ("", None),
    ],
)
def test_the_number_a_text_ends_in(text: str, number: str | None) -> None:
    assert number_in(text) == (None if number is None else Decimal(number))


def test_examples_stand_in_front_and_are_not_asked(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [
        {"question": f"{n}+{n}?", "answer": 2 * n, "other": None} for n in range(1, 5)
    ]
    path = write_lines(tmp_path / "sums.jsonl", records)
    task = load(path, template(PROMPT, score="number", shots=2))
    assert [item.targets for item in task.items] == [("6",), ("8",)]
    assert task.items[0].prompt == (
        "Question: 1+1?\nAnswer: 2\n\nQuestion: 2+2?\nAnswer: 4\n\nQuestion: 3+3?\nAnswer:"
    )
    assert task.items[1].place == f"line 4 of {path}"
    apart = load(path, template(PROMPT, shots=1, shots_from=RowFiles(files=(path,)), limit=2))
    assert len(apart.items) == 2
    assert apart.items[0].prompt.startswith("Question: 1+1?\nAnswer: 2\n\nQuestion: 1+1?")
    assert apart.info.digest != task.info.digest


def test_rows_of_the_caller_are_a_task_as_those_of_a_file_are(tmp_path: Path) -> None:
    records: list[dict[str, object]] = [{"question": f"{n}?", "answer": n} for n in range(4)]
    path = write_lines(tmp_path / "a.jsonl", records)
    own = OwnRows(rows=tuple(map(json.dumps, records)))
    for options in (template(PROMPT, shots=1, limit=2), template(PROMPT, shots=2, shots_from=own)):
        given, from_file = load_generation_task(own, options, Unattended()), load(path, options)
        assert given.info.digest == from_file.info.digest
        assert (given.info.files, from_file.info.files) == ((), (path,))
    assert given.items[1].place == "row 2"
    with pytest.raises(DepthkitError, match="row 1: field 'missing' is missing") as failure:
        load_generation_task(own, template("{missing}"), Unattended())
    assert failure.value.details == {"row": 1, "field": "missing"}


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (template("{question"), "INVALID_ARGUMENT", "template"),
        (template("{question.x}"), "INVALID_ARGUMENT", "belongs to no field"),
        (template("no field"), "INVALID_ARGUMENT", "names no field"),
        (
            template("{nothing}"),
            "INVALID_ARGUMENT",
            "the row has question, answer",
        ),
        (
            template("{question}", target="question", score="number"),
            "INVALID_ARGUMENT",
            "no number",
        ),
        (template("{question}", shots=3), "NOT_ENOUGH_TEXT", "examples"),
        (template("{question}", shots=2), "NOT_ENOUGH_TEXT", "rows to ask"),
    ],
)
def test_a_task_that_cannot_be_asked_says_why(
    tmp_path: Path, options: GenerationTaskOptions, code: str, said: str
) -> None:
    path = write_lines(
        tmp_path / "a.jsonl", [{"question": "q", "answer": 1}, {"question": "p", "answer": 2.5}]
    )
    with pytest.raises(DepthkitError, match=said) as failure:
        load(path, options)
    assert failure.value.code == code


def test_the_score_counts_what_was_written(tmp_path: Path, words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    texts = [one.text for one in write(decoder, GenerateOptions(max_new_tokens=4), UNITS)]
    targets = [*texts[:4], "t1", "t2"]
    records: list[dict[str, object]] = [
        {"question": prompt, "answer": target} for prompt, target in zip(PROMPTS, targets, strict=True)
    ]
    task = load(write_lines(tmp_path / "a.jsonl", records), template("{question}"))
    options = SolveOptions(max_new_tokens=4, batch_size=4, items=True)
    score = solve(Subnetwork(decoder, UNITS), task, options, Unattended())
    assert score.per_item is not None
    assert [answer.correct for answer in score.per_item] == [True] * 4 + [False] * 2
    assert (score.correct, score.accuracy, score.tokens) == (
        4,
        4 / 6,
        sum(answer.tokens for answer in score.per_item),
    )
    assert score.standard_error == pytest.approx(math.sqrt(4 / 6 * 2 / 6 / 5))
    assert score.stop == ("\n\n",)
    one = load(write_lines(tmp_path / "b.jsonl", records[:1]), template("{question}"))
    assert (
        solve(
            Subnetwork(decoder, UNITS), one, SolveOptions(max_new_tokens=4, batch_size=1), Unattended()
        ).standard_error
        is None
    )


def test_repairs_take_part_in_batches(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    update = nn.Linear(32, 32)
    update.requires_grad_(False)
    unit = Unit("attention", 2)
    repair = Repair("low-rank", (unit,), {2: BlockEdit(before=update)}, "0" * 64)
    plain, alone, together = (
        write(decoder, GenerateOptions(max_new_tokens=8, batch_size=size), (unit,), repairs)
        for size, repairs in ((8, ()), (1, (repair,)), (8, (repair,)))
    )
    assert alone == together
    assert alone != plain


def test_a_cancel_in_a_batch_leaves_the_model_whole(words: PreTrainedTokenizerBase) -> None:
    class Soon(Unattended):
        checks = 0

        def check(self) -> None:
            self.checks += 1
            if self.checks > 3:
                raise cancelled()

    decoder = Decoder(tiny_model("llama"), words)
    modules = list(decoder.model.named_modules())
    with pytest.raises(DepthkitError, match="cancelled"):
        generate(
            Subnetwork(decoder, UNITS), PROMPTS, GenerateOptions(max_new_tokens=50, batch_size=3), Soon()
        )
    assert list(decoder.model.named_modules()) == modules
