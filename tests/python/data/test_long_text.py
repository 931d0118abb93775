"""Long texts, in a process of their own: the same ids, and a cancel ends it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from transformers import PreTrainedTokenizerBase

from data.builders import BOS, TRAINING, byte_level, sentence_piece
from depthkit_worker.data import tokens
from depthkit_worker.data.tokens import Tokeniser, encode, encode_stream, encode_whole, splits_locally
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.child import run_child
from depthkit_worker.session.job import Job, Unattended, cancelled

TEXT = (TRAINING[1] + f"One {BOS} within, and two  spaces.\t\r\n" + TRAINING[0]) * 20

Temporary = Callable[[], list[str]]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Temporary:
    """What is in the folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return lambda: [path.name for path in tmp_path.iterdir()]


def split_special() -> PreTrainedTokenizerBase:
    tokenizer = sentence_piece(bos=True)
    tokenizer.split_special_tokens = True
    return tokenizer


@pytest.mark.parametrize(
    "make",
    [
        byte_level,
        lambda: byte_level(bos=True, adds_bos=True),
        sentence_piece,
        lambda: sentence_piece(bos=True),
        split_special,
    ],
    ids=[
        "byte-level",
        "byte-level with BOS",
        "sentencepiece",
        "sentencepiece with BOS",
        "special tokens split",
    ],
)
def test_the_ids_are_those_of_one_call(
    make: Callable[[], PreTrainedTokenizerBase], temporary: Temporary, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = make()
    tokenizer("left behind by another caller", truncation=True, max_length=4)
    expected = encode(tokenizer, [TEXT])[0]
    monkeypatch.setattr(tokens, "LONG", len(TEXT))
    calls: list[str] = []

    def counted(module: str, arguments: list[str], job: Job) -> None:
        calls.append(module)
        run_child(module, arguments, job)

    monkeypatch.setattr(tokens, "run_child", counted)
    assert encode_whole(tokenizer, TEXT, Unattended()).tolist() == expected
    assert calls == ["depthkit_worker.data.tokenise_child"]
    assert temporary() == []


def test_the_bundled_models_tokeniser_too(
    smollm2_tokenizer: PreTrainedTokenizerBase, temporary: Temporary, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = encode(smollm2_tokenizer, [TEXT])[0]
    monkeypatch.setattr(tokens, "LONG", 1)
    assert encode_whole(smollm2_tokenizer, TEXT, Unattended()).tolist() == expected


def test_a_cancel_ends_the_process_and_leaves_nothing(
    temporary: Temporary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text takes minutes in one call."""

    class OnceItRuns(Unattended):
        def check(self) -> None:
            if self.children():
                raise cancelled()

        @staticmethod
        def children() -> list[psutil.Process]:
            return [
                child
                for child in psutil.Process().children()
                if any("tokenise_child" in part for part in child.cmdline())
            ]

    tokenizer = sentence_piece()
    assert not splits_locally(tokenizer)
    with pytest.raises(DepthkitError) as caught:
        encode_stream(tokenizer, TEXT * 2000, OnceItRuns())
    assert caught.value.code == "CANCELLED"
    assert OnceItRuns.children() == []
    assert temporary() == []


def test_texts_by_themselves_are_looked_at_one_by_one(
    temporary: Temporary, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = byte_level()
    monkeypatch.setattr(tokens, "LONG", 500)
    texts = ["short", TRAINING[1] * 10, "another"]
    found = [ids.tolist() for ids in Tokeniser(tokenizer).each(texts, Unattended())]
    assert found == encode(tokenizer, texts)


def test_a_tokeniser_with_code_of_its_own_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Loud(type(byte_level())):  # type: ignore[misc]
        def _encode_plus(self, text: list[str], **options: object) -> object:
            return super()._encode_plus([one.upper() for one in text], **options)

    tokenizer = byte_level()
    tokenizer.__class__ = Loud
    monkeypatch.setattr(tokens, "LONG", 1)
    assert encode_whole(tokenizer, "abc", Unattended()).tolist() == encode(byte_level(), ["ABC"])[0]
