"""Rows of tasks as prompts and tokens, against prompts and splits written out by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import PreTrainedTokenizerBase

from data.builders import BOS, LLAMA3_SPLIT, byte_level, sentence_piece
from data.resources import questions_of, shared
from depthkit_worker.contract.wire import OwnRows, RowFiles, TaskOptions, TaskTemplate
from depthkit_worker.data.tasks import Item, Task, load_task
from depthkit_worker.data.tokens import Tokeniser, encode
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.limits import Limits
from depthkit_worker.session.job import Unattended

MMLU = {
    "task": "mmlu",
    "subject": "high_school_biology",
    "question": " What? ",
    "choices": list("wxyz"),
    "answer": 2,
}
HEADER = "The following are multiple choice questions (with answers) about high school biology.\n\n"
ARC = {"task": "arc_easy", "question": "Why is it so?", "choices": ["one", "two", "three"], "answer": 1}


def write(folder: Path, rows: list[Any], name: str = "task.jsonl") -> Path:
    path = folder / name
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def rows_in(path: Path) -> RowFiles:
    return RowFiles(files=(str(path),))


def load(
    data: Path | OwnRows,
    tokenizer: PreTrainedTokenizerBase | None = None,
    context: int | None = None,
    **options: Any,
) -> Task:
    source = rows_in(data) if isinstance(data, Path) else data
    tokeniser = Tokeniser(tokenizer or byte_level(), Limits(tokens=context))
    return load_task(tokeniser, source, TaskOptions(**options), Unattended())


def texts(tokenizer: PreTrainedTokenizerBase, item: Item) -> list[tuple[str, str]]:
    """Context and scored continuation of each choice."""
    found = []
    for choice, scored in enumerate(item.scored):
        ids = item.sequence(choice)
        found.append((str(tokenizer.decode(ids[:-scored])), str(tokenizer.decode(ids[-scored:]))))
    return found


PROMPTS: list[tuple[dict[str, Any], list[tuple[str, str]], int]] = [
    (
        MMLU,
        [(HEADER + "What?\nA. w\nB. x\nC. y\nD. z\nAnswer:", f" {letter}") for letter in "ABCD"],
        2,
    ),
    (ARC, [("Question: Why is it so?\nAnswer:", f" {choice}") for choice in ("one", "two", "three")], 1),
    (
        {"task": "piqa", "question": "open a door", "choices": ["push it", "eat it"], "answer": 0},
        [("Question: open a door\nAnswer:", " push it"), ("Question: open a door\nAnswer:", " eat it")],
        0,
    ),
    (
        {
            "task": "openbookqa",
            "question": "A stove is",
            "choices": ["hot", "cold", "wet", "red"],
            "answer": 0,
        },
        [("A stove is", f" {choice}") for choice in ("hot", "cold", "wet", "red")],
        0,
    ),
    (
        {"task": "boolq", "context": "Rain falls.", "question": "does rain fall", "answer": 1},
        [("Rain falls.\nQuestion: does rain fall?\nAnswer:", f" {choice}") for choice in ("no", "yes")],
        1,
    ),
    (
        {
            "task": "hellaswag",
            "activity_label": "Roof [step]",
            "ctx_a": "A man  is sitting [title] on it.",
            "ctx_b": "he",
            "endings": ["starts  pulling [x]tiles.", "sleeps."],
            "label": "1",
        },
        [
            ("Roof : A man is sitting. on it. He", f" {ending}")
            for ending in ("starts pulling tiles.", "sleeps.")
        ],
        1,
    ),
    (
        {
            "task": "winogrande",
            "sentence": "Ann met Sue, and _ was glad .",
            "option1": "Ann",
            "option2": "Sue",
        }
        | {"answer": "2"},
        [("Ann met Sue, and Ann", " was glad ."), ("Ann met Sue, and Sue", " was glad .")],
        1,
    ),
    (
        {"task": "lambada_openai", "context": "He went to the", "target": "docks"},
        [("He went to the", " docks")],
        0,
    ),
]


@pytest.mark.parametrize(
    ("row", "expected", "answer"), PROMPTS, ids=[str(row["task"]) for row, _, _ in PROMPTS]
)
def test_prompts_are_those_of_the_harness(
    tmp_path: Path, row: dict[str, Any], expected: list[tuple[str, str]], answer: int
) -> None:
    tokenizer = byte_level()
    task = load(write(tmp_path, [row]), tokenizer)
    assert texts(tokenizer, task.items[0]) == expected
    assert task.items[0].answer == answer


def test_winogrande_is_normalised_by_the_option(tmp_path: Path) -> None:
    row = {"sentence": "Ann met Zo\u00eb Lee, and _ was glad .", "option1": "Ann", "option2": "Zo\u00eb Lee"}
    (item,) = load(write(tmp_path, [{**row, "answer": "2"}]), format="winogrande").items
    # Neither what is scored, which is the same for both, nor the context with the option in it.
    assert item.characters == (3, 7)
    assert item.bytes == (3, 8)


def test_boolq_questions_that_end_in_a_question_mark_keep_one(tmp_path: Path) -> None:
    row = {"context": "Rain.", "question": "is it wet?", "answer": 0}
    tokenizer = byte_level()
    task = load(write(tmp_path, [row]), tokenizer, format="boolq")
    assert texts(tokenizer, task.items[0])[0][0] == "Rain.\nQuestion: is it wet?\nAnswer:"


def test_mmlu_shots_are_the_first_of_the_same_subject(tmp_path: Path) -> None:
    dev = [
        {**MMLU, "subject": "law", "question": "Other?"},
        {**MMLU, "question": "First?", "answer": 0},
        {**MMLU, "question": "Second?", "answer": 3},
        {**MMLU, "question": "Third?"},
    ]
    tokenizer = byte_level()
    examples = rows_in(write(tmp_path, dev, "dev.jsonl"))
    task = load(write(tmp_path, [MMLU]), tokenizer, shots=2, shots_from=examples, format="mmlu")
    lines = "\nA. w\nB. x\nC. y\nD. z\nAnswer:"
    expected = f"{HEADER}First?{lines} A\n\nSecond?{lines} D\n\nWhat?{lines}"
    assert texts(tokenizer, task.items[0])[0][0] == expected
    with pytest.raises(DepthkitError) as caught:
        load(write(tmp_path, [MMLU]), shots=4, shots_from=examples)
    assert caught.value.details == {"have": 3, "need": 4, "unit": "examples"}


def own(rows: list[Any]) -> OwnRows:
    return OwnRows(rows=tuple(row if isinstance(row, str) else json.dumps(row) for row in rows))


def test_rows_of_the_caller_are_a_task_as_those_of_a_file_are(tmp_path: Path) -> None:
    rows = [{**ARC, "question": f"Is {n} odd?"} for n in range(4)]
    examples = [{**ARC, "question": f"Example {n}"} for n in range(2)]
    path, dev = write(tmp_path, rows), write(tmp_path, examples, "dev.jsonl")
    from_files = load(path, shots=2, shots_from=rows_in(dev))
    given = load(own(rows), shots=2, shots_from=own(examples))
    assert given.info.digest == from_files.info.digest
    assert (given.info.files, given.info.file_digests) == ((), ())
    assert from_files.info.files == (str(path), str(dev))
    two_files = load_task(
        Tokeniser(byte_level()), RowFiles(files=(str(path), str(dev))), TaskOptions(limit=5), Unattended()
    )
    assert (two_files.info.rows, two_files.info.items) == (6, 5)


def test_without_rows_for_them_the_first_rows_are_examples_and_not_asked() -> None:
    tokenizer = byte_level()
    rows = [{**ARC, "question": f"Q{n}"} for n in range(5)]
    task = load(own(rows), tokenizer, shots=2, limit=2)
    front = "Question: Q0\nAnswer: two\n\nQuestion: Q1\nAnswer: two\n\n"
    prompts = [texts(tokenizer, item)[0][0] for item in task.items]
    assert prompts == [f"{front}Question: Q{n}\nAnswer:" for n in (2, 3)]
    assert (task.info.rows, task.info.items, task.info.limit) == (5, 2, 2)
    with pytest.raises(DepthkitError, match="leaves none of its 5 to ask") as caught:
        load(own(rows), shots=5)
    assert caught.value.details == {"have": 5, "need": 6, "unit": "rows"}


def test_examples_out_of_a_task_are_the_first_of_each_group_and_never_the_question() -> None:
    tokenizer = byte_level()
    rows = [
        {**MMLU, "subject": subject, "question": f"{subject} {n}"}
        for n in range(3)
        for subject in ("law", "art")
    ]
    task = load(own(rows), tokenizer, shots=1)
    assert task.info.items == 4 and task.info.groups == ("law", "art")
    for item, (subject, number) in zip(
        task.items, [("law", 1), ("art", 1), ("law", 2), ("art", 2)], strict=True
    ):
        context = texts(tokenizer, item)[0][0]
        assert context.split("\n\n")[1].startswith(f"{subject} 0\n")
        assert context.split("\n\n")[2].startswith(f"{subject} {number}\n")
    with pytest.raises(DepthkitError, match="first 1 rows of history were"):
        load(own([*rows, {**MMLU, "subject": "history"}]), shots=1)
    # Asked as far as the limit: what lies beyond it is nobody's business.
    assert load(own([*rows, {**MMLU, "subject": "history"}]), shots=1, limit=3).info.items == 3
    with pytest.raises(DepthkitError, match="beside the question itself there are 0 of law for row 3"):
        load(own([rows[0], rows[1], rows[0]]), shots=1, limit=1)


def test_a_row_of_the_caller_is_named_by_its_number() -> None:
    for row, message in (
        ("[1]", "Cannot read row 2: it is JSON"),
        ({**ARC, "answer": 9}, "row 2: field 'answer' is 9"),
    ):
        with pytest.raises(DepthkitError, match=message) as caught:
            load(own([ARC, row]))
        assert caught.value.details["row"] == 2
    with pytest.raises(DepthkitError, match=r"Cannot use row 1: .*no room"):
        load(own([ARC]), context=2)


def by_definition(
    tokenizer: PreTrainedTokenizerBase, context: str, continuation: str
) -> tuple[list[int], int]:
    """Ids of both and how many are the continuation's, as the harness's `_encode_pair` has it."""
    spaces = len(context) - len(context.rstrip())
    if spaces:
        context, continuation = context[:-spaces], context[-spaces:] + continuation
    whole, front = encode(tokenizer, [context + continuation, context])
    return whole, len(whole) - len(front)


@pytest.mark.parametrize("kind", ["gpt2", "llama3", "sentencepiece", "smollm2"])
def test_tsk3_continuations_are_split_where_the_context_ends(
    kind: str, tmp_path: Path, smollm2_tokenizer: PreTrainedTokenizerBase
) -> None:
    tokenizers = {
        "gpt2": byte_level(),
        "llama3": byte_level(split=LLAMA3_SPLIT),
        "sentencepiece": sentence_piece(),
    }
    tokenizer = smollm2_tokenizer if kind == "smollm2" else tokenizers[kind]
    rows = [{**MMLU, "question": f"The quick brown fox {n}.\n It's"} for n in range(3)]
    dev = write(tmp_path, [{**MMLU, "question": f"def f(x): {n}"} for n in range(5)], "dev.jsonl")
    path = write(tmp_path, rows)
    task = load(path, tokenizer, shots=5, shots_from=rows_in(dev))
    _, questions = questions_of(path)
    _, examples = questions_of(dev)
    front = HEADER + "".join(example.example + "\n\n" for example in examples)
    for item, question in zip(task.items, questions, strict=True):
        for choice, (context, continuation) in enumerate(
            zip(question.contexts, question.continuations, strict=True)
        ):
            ids, scored = by_definition(tokenizer, front + context, continuation)
            assert item.sequence(choice).tolist() == ids and item.scored[choice] == scored
        # The letter that is scored is the letter of the examples: "Answer:" is followed by one token there
        # too.
        prompt = item.sequence(item.answer)
        places = [at for at in range(len(prompt)) if prompt[at] == prompt[-1]]
        colon = prompt[len(prompt) - item.scored[0] - 1]
        if item.single_token:
            assert sum(prompt[at - 1] == colon for at in places) == 6
            assert len({int(tail[-1]) for tail in item.tails}) == 4


def test_spaces_at_the_end_of_a_context_belong_to_the_choice(tmp_path: Path) -> None:
    tokenizer = byte_level()
    template = TaskTemplate(prompt="Say {word}: ", choices=("fox", "dog"), answer="right", delimiter="")
    task = load(write(tmp_path, [{"word": "it", "right": "dog"}]), tokenizer, format=template)
    assert texts(tokenizer, task.items[0]) == [("Say it:", " fox"), ("Say it:", " dog")]
    assert task.items[0].answer == 1 and task.items[0].characters == (3, 3)


def test_a_template_of_ones_own(tmp_path: Path) -> None:
    tokenizer = byte_level()
    template = TaskTemplate(
        prompt="{{{topic}}} {options[1]} {number}\nQ: {q}\nA:",
        choices="options",
        answer="key",
        group="topic",
        description="About {topic}.\n",
        separator="\n--\n",
    )
    rows = [
        {"topic": "law", "q": "why", "options": ["x", "naïve café"], "key": 1, "number": 3, "other": None},
        {"topic": "art", "q": "who", "options": ["a", "b", "c"], "key": "c", "number": 0.5},
    ]
    shots = [{**rows[0], "q": "first", "key": 0}, {**rows[1], "q": "second", "key": 0}]
    path, dev = write(tmp_path, rows), write(tmp_path, shots, "dev.jsonl")
    task = load(path, tokenizer, format=template, shots=1, shots_from=rows_in(dev))
    assert texts(tokenizer, task.items[0]) == [
        ("About law.\n{law} naïve café 3\nQ: first\nA: x\n--\n{law} naïve café 3\nQ: why\nA:", f" {choice}")
        for choice in ("x", "naïve café")
    ]
    assert task.items[0].bytes == (1, 12) and task.items[0].characters == (1, 10)
    assert task.items[1].answer == 2 and task.info.groups == ("law", "art") and task.info.format == "template"


def test_too_long_prompts_lose_whole_examples_first_and_then_their_left(tmp_path: Path) -> None:
    tokenizer = byte_level(bos=True)
    dev = write(tmp_path, [{**ARC, "question": f"Example {n} is this"} for n in range(3)], "dev.jsonl")
    path = write(tmp_path, [ARC])
    options: dict[str, Any] = {"shots": 3, "shots_from": rows_in(dev), "bos": "always"}
    whole = load(path, tokenizer, **options).items[0]
    two = load(path, tokenizer, context=whole.longest - 1, **options).items[0]
    assert (two.shots_dropped, two.tokens_cut) == (1, 0)
    context = texts(tokenizer, two)[0][0]
    assert context.startswith(BOS + "Question: Example 1 is this\nAnswer: two\n\nQuestion: Example 2")
    bare = load(path, tokenizer, bos="always").items[0]
    for room in (bare.longest, bare.longest - 1, bare.longest - 4):
        cut = load(path, tokenizer, context=room, **options).items[0]
        assert (cut.shots_dropped, cut.tokens_cut) == (3, bare.longest - room)
        assert cut.longest == room and cut.scored == bare.scored
        assert cut.trunk[0] == tokenizer.bos_token_id
        np.testing.assert_array_equal(cut.trunk[1:], bare.trunk[1 + cut.tokens_cut :])
    with pytest.raises(DepthkitError, match=r"line 1 of .*no room"):
        load(path, byte_level(), context=2)


def test_bos_policy_is_that_of_corpora(tmp_path: Path) -> None:
    path = write(tmp_path, [ARC])
    adds = byte_level(bos=True, adds_bos=True)
    plain = load(path, byte_level(bos=True)).items[0]
    for tokenizer, policy, added in ((adds, "auto", True), (adds, "never", False)):
        task = load(path, tokenizer, bos=policy)
        assert task.info.bos_added is added
        assert task.items[0].trunk[int(added) :].tolist() == plain.trunk.tolist()
        assert (task.items[0].trunk[0] == tokenizer.bos_token_id) is np.bool_(added)
    with pytest.raises(DepthkitError):
        load(path, byte_level(), bos="always")
    empty = TaskTemplate(prompt="", choices=("a", "b"), answer="answer", delimiter="")
    with pytest.raises(DepthkitError, match="no BOS token"):
        load(path, byte_level(), format=empty)
    assert load(write(tmp_path, [{"answer": 1}]), adds, format=empty).items[0].trunk.tolist() == [
        adds.bos_token_id
    ]


def test_the_digest_names_tokens_answers_and_groups(tmp_path: Path) -> None:
    rows = [{**MMLU, "question": f"Is {n} odd"} for n in range(4)]
    path = write(tmp_path, rows)
    task = load(path)
    assert (
        load(write(tmp_path, [{**row, "weight": 0.5} for row in rows], "more.jsonl")).info.digest
        == task.info.digest
    )
    limited = load(path, limit=2)
    assert len(limited.items) == 2 and limited.info.rows == 4 and limited.info.digest != task.info.digest
    assert limited.info.digest == load(write(tmp_path, rows[:2], "two.jsonl")).info.digest
    for change in ({"answer": 3}, {"subject": "law"}, {"question": "Is 0 even"}):
        assert (
            load(write(tmp_path, [{**rows[0], **change}, *rows[1:]], "other.jsonl")).info.digest
            != task.info.digest
        )


WRONG: list[tuple[Any, str, str]] = [
    ("not json", "UNSUPPORTED_FORMAT", "line 2 of .*not JSON"),
    ({**ARC, "task": "piqa"}, "INVALID_ARGUMENT", "one of several"),
    ({**ARC, "answer": 3}, "INVALID_ARGUMENT", "line 2 of .*'answer' is 3; it is a number from 0 to 2"),
    ({**ARC, "answer": True}, "INVALID_ARGUMENT", "line 2 of .*'answer' is True"),
    ({**ARC, "choices": ["only"], "answer": 0}, "INVALID_ARGUMENT", "line 2 of .*two or more"),
    ({**ARC, "choices": ["a", ""]}, "INVALID_ARGUMENT", "line 2 of .*none of them empty"),
    ({**ARC, "question": None}, "INVALID_ARGUMENT", "line 2 of .*'question' is None"),
    ({**ARC, "question": "\ud800"}, "INVALID_ARGUMENT", "line 2 of .*surrogate"),
    (
        {"task": "arc_easy", "choices": ["a", "b"], "answer": 1},
        "INVALID_ARGUMENT",
        "line 2 of .*'question' is missing",
    ),
]


@pytest.mark.parametrize(("row", "code", "message"), WRONG)
def test_rows_that_do_not_fit_are_named_with_their_line(
    tmp_path: Path, row: Any, code: str, message: str
) -> None:
    path = write(tmp_path, [ARC, row])
    with pytest.raises(DepthkitError, match=message) as caught:
        load(path)
    assert caught.value.code == code and str(path) in caught.value.message


def test_other_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(DepthkitError, match="is 'nli'; known are mmlu"):
        load(write(tmp_path, [{**ARC, "task": "nli"}]))
    with pytest.raises(DepthkitError, match="no row"):
        load(write(tmp_path, []))
    with pytest.raises(DepthkitError, match="jsonl"):
        load(write(tmp_path, ["text"], "task.txt"))
    with pytest.raises(DepthkitError, match="brace at character 3"):
        load(write(tmp_path, [ARC]), format=TaskTemplate(prompt="ab {", choices="choices", answer="answer"))


@pytest.mark.parametrize("name", ["mmlu_test", "arc_easy", "boolq", "piqa", "lambada_openai"])
def test_real_files_are_read_whole(name: str) -> None:
    path = shared() / "data" / f"{name}.jsonl"
    format_, questions = questions_of(path)
    expected = {"mmlu_test": 14042, "arc_easy": 2376, "boolq": 3270, "piqa": 1838, "lambada_openai": 5153}
    assert len(questions) == expected[name]
    assert (format_.kind == "last-word") is (name == "lambada_openai")
