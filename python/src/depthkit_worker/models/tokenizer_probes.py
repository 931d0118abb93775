"""Whether two tokenizers read text alike.

transformers chooses a tokenizer's class by the model's type, and for some types (qwen2 is one) overrules the
class that the files name. The class then sets its own rule for splitting text over tokenizer.json's, and says
nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase, TokenizersBackend

from depthkit_worker.models.first_line import first_line
from depthkit_worker.models.json_files import read_json_object

# Where tokenizers are seen to differ: spaces, accents in two parts, runs of digits, a letter after a sign.
TEXTS = (
    " leading, two  spaces, a\ttab.\r\nA line.\n\n\n  x",
    "Naïve café, e\u0301tude, Ångström, 漢字\u3000🤷🏽\u200d♀️ ﬁ",
    "In 1234567 days: 3.14159%, 0x1F, 10,000",
    "It's HE'S don't (foo)bar_baz .net camelCase SHOUT",
    "def f(x):\n    return x\n",
    "",
)
SETTINGS = ("bos_token_id", "eos_token_id", "pad_token_id", "chat_template")


def tokenizer_difference(expected: PreTrainedTokenizerBase, found: PreTrainedTokenizerBase) -> str | None:
    """The first thing that `found` does otherwise than `expected`; None where they are alike."""
    for text in (*TEXTS, _with_added_tokens(expected)):
        one, other = _read(expected, text), _read(found, text)
        if one != other:
            return f"{_short(text)} is read as {_short(other)}, not {_short(one)}"
    for name in SETTINGS:
        one, other = getattr(expected, name), getattr(found, name)
        if one != other:
            return f"its {name} is {_short(other)}, not {_short(one)}"
    return None


def readings(tokenizer: PreTrainedTokenizerBase) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The texts with their tokens; without those that it cannot read."""
    found = ((text, _read(tokenizer, text)) for text in TEXTS if text)
    return tuple((text, tuple(read[0])) for text, read in found if isinstance(read, tuple))


def overruled_note(folder: Path, tokenizer: PreTrainedTokenizerBase) -> str | None:
    """What to know of `tokenizer`, which the library made of `folder`, where its class is not the one that
    the files name and tokenizer.json would split text otherwise."""
    path = folder / "tokenizer_config.json"
    named = read_json_object(path).get("tokenizer_class") if path.is_file() else None
    chosen = type(tokenizer).__name__
    if not isinstance(named, str) or named.removesuffix("Fast") == chosen.removesuffix("Fast"):
        return None
    # Without a tokenizer.json there is nothing that it overrules; the plain class says what stands in it.
    if type(tokenizer) is TokenizersBackend or not (folder / "tokenizer.json").is_file():
        return None
    difference = tokenizer_difference(TokenizersBackend.from_pretrained(folder), tokenizer)
    if difference is None:
        return None
    return (
        f"transformers reads the tokenizer as {chosen}, by the model's type, though its files name {named}, "
        f"and not as tokenizer.json says: {difference}. depthkit does as transformers does. Software that "
        "goes by tokenizer.json alone splits text otherwise."
    )


def _with_added_tokens(tokenizer: PreTrainedTokenizerBase) -> str:
    return "".join(f"a{token} b" for token in tokenizer.get_added_vocab())


def _read(tokenizer: PreTrainedTokenizerBase, text: str) -> Any:
    """The tokens and what they say; what it raises instead is compared as well."""
    try:
        ids = tokenizer.encode(text)
        return ids, tokenizer.decode(ids)
    except Exception as error:
        return first_line(error)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
