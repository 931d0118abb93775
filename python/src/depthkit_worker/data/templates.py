"""From a row of a file to a question: the prompts that EleutherAI's lm-evaluation-harness 0.4.13 makes of
these tasks, and a caller's own template.

A format reads the fields it needs and lets the others be.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import get_args

from depthkit_worker.contract.wire import TaskFormat, TaskKind, TaskTemplate
from depthkit_worker.data.rows import Row

FORMAT_NAMES: tuple[TaskFormat, ...] = get_args(TaskFormat)
ALIASES: Mapping[str, TaskFormat] = {"lambada_openai": "lambada", "lambada_standard": "lambada"}
LETTERS = ("A", "B", "C", "D")


@dataclass(frozen=True)
class Question:
    """One row as text."""

    contexts: tuple[str, ...]
    """What stands before each continuation: the same for all but where the choice itself is in it."""
    continuations: tuple[str, ...]
    """What is scored behind each context, its leading space included."""
    choices: tuple[str, ...]
    """The choices as such, whose lengths normalised accuracies divide by."""
    answer: int
    group: str | None = None
    """What macro averages are taken over, such as the subject."""
    description: str = ""
    """In front of the examples and the question."""
    delimiter: str = " "
    """What each continuation begins with, before the choice itself."""

    @property
    def replies(self) -> tuple[str, ...]:
        """The continuations as an answer has them that nothing stands in front of."""
        return tuple(text.removeprefix(self.delimiter) for text in self.continuations)

    @property
    def example(self) -> str:
        """The question with its right answer, as it stands among few-shot examples."""
        return self.contexts[self.answer] + self.continuations[self.answer]

    @property
    def characters(self) -> tuple[int, ...]:
        return tuple(len(choice) for choice in self.choices)

    @property
    def bytes(self) -> tuple[int, ...]:
        return tuple(len(choice.encode()) for choice in self.choices)


@dataclass(frozen=True)
class Format:
    """How the rows of a task are read."""

    name: str
    kind: TaskKind
    read: Callable[[Row], Question]
    separator: str = "\n\n"
    """Behind each few-shot example."""
    shots_by_group: bool = False
    """Whether a question's examples come from its own group."""


def named_format(name: TaskFormat) -> Format:
    if name == "lambada":
        return Format(name, "last-word", _lambada)
    return Format(name, "choices", _READERS[name], shots_by_group=name == "mmlu")


def template_format(template: TaskTemplate) -> Format:
    return Format(
        "template",
        "choices",
        lambda row: _from_template(template, row),
        template.separator,
        shots_by_group=template.group is not None,
    )


def _mmlu(row: Row) -> Question:
    choices = row.texts("choices")
    if len(choices) != len(LETTERS):
        raise row.wrong("choices", f"has {len(choices)} entries", "MMLU has the four choices A to D")
    subject = row.text("subject")
    lines = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=True)]
    prompt = "\n".join([row.text("question").strip(), *lines, "Answer:"])
    about = subject.replace("_", " ")
    return _question(
        row,
        prompt,
        LETTERS,
        row.index("answer", LETTERS),
        group=subject,
        description=f"The following are multiple choice questions (with answers) about {about}.\n\n",
    )


def _question_answer(row: Row) -> Question:
    """ARC and PIQA."""
    choices = row.texts("choices")
    return _question(row, f"Question: {row.text('question')}\nAnswer:", choices, row.index("answer", choices))


def _openbookqa(row: Row) -> Question:
    choices = row.texts("choices")
    return _question(row, row.text("question"), choices, row.index("answer", choices))


def _boolq(row: Row) -> Question:
    # The published rows leave out the question mark, which the harness's prompt adds; files that have it
    # must not end up with two.
    asked = row.text("question").removesuffix("?")
    prompt = f"{row.text('context')}\nQuestion: {asked}?\nAnswer:"
    return _question(row, prompt, ("no", "yes"), row.index("answer", ("no", "yes")))


def _hellaswag(row: Row) -> Question:
    endings = tuple(_clean_hellaswag(ending) for ending in row.texts("endings"))
    begun = f"{row.text('activity_label')}: {row.text('ctx_a')} {row.maybe_empty('ctx_b').capitalize()}"
    return _question(row, _clean_hellaswag(begun), endings, row.index("label", endings))


def _clean_hellaswag(text: str) -> str:
    text = text.strip().replace(" [title]", ". ")
    # Marks of the WikiHow part.
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


def _winogrande(row: Row) -> Question:
    """Each option is put into the sentence; what follows the gap is scored, the same for both. The choices
    are the options, and not their contexts, by whose length the harness would divide."""
    sentence = row.text("sentence")
    gap = sentence.find("_")
    rest = sentence[gap + 1 :].strip()
    if gap < 0 or not rest:
        raise row.wrong("sentence", "has no gap with text behind it", 'the gap is a "_" in the middle')
    options = (row.text("option1"), row.text("option2"))
    contexts = tuple(sentence[:gap] + option for option in options)
    answer = row.index("answer", ("1", "2"), first=1)
    return Question(contexts, (" " + rest,) * 2, options, answer)


def _lambada(row: Row) -> Question:
    word = row.text("target")
    return Question((row.text("context"),), (" " + word,), (word,), 0)


_READERS: Mapping[TaskFormat, Callable[[Row], Question]] = {
    "mmlu": _mmlu,
    "arc_easy": _question_answer,
    "arc_challenge": _question_answer,
    "openbookqa": _openbookqa,
    "piqa": _question_answer,
    "boolq": _boolq,
    "hellaswag": _hellaswag,
    "winogrande": _winogrande,
}


def _from_template(template: TaskTemplate, row: Row) -> Question:
    choices = row.texts(template.choices) if isinstance(template.choices, str) else template.choices
    return _question(
        row,
        row.filled(template.prompt),
        choices,
        row.index(template.answer, choices),
        group=None if template.group is None else row.text(template.group),
        description=row.filled(template.description),
        delimiter=template.delimiter,
    )


def _question(
    row: Row,
    prompt: str,
    choices: tuple[str, ...],
    answer: int,
    *,
    group: str | None = None,
    description: str = "",
    delimiter: str = " ",
) -> Question:
    if len(choices) < 2:
        raise row.wrong("choices", f"are {list(choices)}", "a question has two or more")
    continuations = tuple(delimiter + choice for choice in choices)
    return Question((prompt,) * len(choices), continuations, choices, answer, group, description, delimiter)
