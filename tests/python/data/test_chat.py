"""Chat templates, which are programs of the checkpoint's: they may fail, and may not run for ever."""

from __future__ import annotations

import sys

import pytest
from transformers import PreTrainedTokenizerBase

from depthkit_worker.data.chat import render_chat
from depthkit_worker.errors import DepthkitError

TURNS = [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}", "not done after"),
        ("{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}", "RecursionError"),
        ("{{ raise_exception('only in French') }}", "only in French"),
        ("{{ messages[7].content }}", "UndefinedError"),
        ("{% for", "TemplateSyntaxError"),
        ("{{ messages.__class__.__mro__ }}", "SecurityError"),
    ],
)
def test_a_template_that_fails_or_loops_is_refused(
    template: str, said: str, words: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(words, "chat_template", template)
    before = sys.gettrace()
    with pytest.raises(DepthkitError, match="Leave chat off, or mend the template") as failure:
        render_chat(words, TURNS)
    assert failure.value.code == "MODEL_INVALID"
    assert said in failure.value.message
    assert sys.gettrace() is before


def test_a_template_is_filled_in(words: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        words, "chat_template", "{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}{{ '>' }}"
    )
    assert render_chat(words, TURNS) == "[user] Hello>"
