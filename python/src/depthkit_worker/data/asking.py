"""How a question is put to a model: as plain text, or as turns of a conversation."""

from __future__ import annotations

from collections.abc import Sequence

from depthkit_worker.data.chat import render_chat, require_template
from depthkit_worker.data.continuations import Asked
from depthkit_worker.data.templates import Format, Question
from depthkit_worker.data.tokens import Tokeniser
from depthkit_worker.errors import DepthkitError


def plainly(question: Question, shots: Sequence[Question], format_: Format) -> Asked:
    """Examples and question one behind the other, as base models are asked."""
    examples = [shot.example + format_.separator for shot in shots]
    return Asked(
        len(shots),
        lambda dropped: (question.description + "".join(examples[dropped:]), question.contexts),
        question.continuations,
    )


def in_turns(tokeniser: Tokeniser, question: Question, shots: Sequence[Question]) -> Asked:
    """A conversation, as lm-evaluation-harness has it: the description is the system's, each question a
    user's turn, and each choice what the model replies."""
    system = _turn("system", question.description) if question.description else []
    examples = [
        _turn("user", shot.contexts[shot.answer]) + _turn("assistant", shot.replies[shot.answer])
        for shot in shots
    ]

    def write(dropped: int) -> tuple[str, Sequence[str]]:
        before = [*system, *(turn for example in examples[dropped:] for turn in example)]
        # All but those of a few formats are the same.
        texts = {
            context: render_chat(tokeniser.tokenizer, before + _turn("user", context), "chatTemplate")
            for context in dict.fromkeys(question.contexts)
        }
        return "", [texts[context] for context in question.contexts]

    return Asked(len(shots), write, question.replies)


def _turn(role: str, content: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content}]


def check_turns(tokeniser: Tokeniser, format_: Format) -> None:
    if format_.kind == "last-word":
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"chatTemplate was asked for, and the format {format_.name} has no question to put into a turn: "
            "a text's last word is predicted from the text. Leave chatTemplate off.",
            option="chatTemplate",
        )
    require_template(tokeniser.tokenizer, "chatTemplate")
