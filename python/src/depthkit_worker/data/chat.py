"""Filling in a checkpoint's chat template, which is a program of the checkpoint's own.

transformers runs it in a sandbox, where it can reach nothing; it can still loop without end, and be wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, cast

from transformers import PreTrainedTokenizerBase

from depthkit_worker.errors import DepthkitError

MOST_STEPS = 1_000_000
"""Lines of a template that are run before it is given up: about a second. Published ones take some
hundreds."""
_TEMPLATE = "<template>"
"""What jinja calls the file of a template's code."""


def require_template(tokenizer: PreTrainedTokenizerBase, option: str = "chat") -> None:
    """Refuse a tokenizer without a chat template, which `option` asks for."""
    if not tokenizer.chat_template:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"{option} was asked for, and this model's tokenizer has no chat template. Leave {option} off.",
            option=option,
        )


def render_chat(
    tokenizer: PreTrainedTokenizerBase,
    turns: Sequence[dict[str, str]],
    option: str = "chat",
    *,
    unfinished: bool = False,
) -> str:
    """The text that the tokenizer's chat template makes of `turns`, up to where the model is to answer, or
    where the last turn is `unfinished`, to go on. `option` is what asks for it, for messages."""
    require_template(tokenizer, option)
    try:
        with _bounded():
            text = tokenizer.apply_chat_template(
                list(turns),
                add_generation_prompt=not unfinished,
                continue_final_message=unfinished,
                tokenize=False,
            )
    except DepthkitError as error:
        raise _faulty(error.message, option) from error
    except Exception as error:  # A template raises whatever its code comes to.
        raise _faulty(f"it fails with {type(error).__name__}: {error}", option) from error
    return cast("str", text)


@contextmanager
def _bounded() -> Iterator[None]:
    """Inside, a template is given up after `MOST_STEPS` of its lines."""
    steps = 0

    def on_line(_frame: FrameType, event: str, _value: Any) -> Any:
        nonlocal steps
        if event == "line":
            steps += 1
            if steps > MOST_STEPS:
                raise DepthkitError(
                    "MODEL_INVALID", f"it is not done after {MOST_STEPS:,} steps, so it may never be"
                )
        return on_line

    def on_call(frame: FrameType, _event: str, _value: Any) -> Any:
        return on_line if frame.f_code.co_filename == _TEMPLATE else None

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        yield
    finally:
        sys.settrace(before)


def _faulty(reason: str, option: str) -> DepthkitError:
    return DepthkitError(
        "MODEL_INVALID",
        f"The chat template of this model cannot be filled in: {reason}. Leave {option} off, or mend the "
        "template (chat_template in tokenizer_config.json, or chat_template.jinja).",
    )
