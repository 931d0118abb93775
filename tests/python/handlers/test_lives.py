"""What is unloaded is gone, and so is what was made on it: from the worker, and from its memory."""

from __future__ import annotations

import dataclasses
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, PreTrainedTokenizerBase

from depthkit_worker.data.tokens import tokenizer_digest
from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.process import resident_bytes
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.session import Session
from handlers.calls import ask, corpus_for, fit
from task_items import random_task
from tiny import SHAPE, random_model, tiny_model

BLOCK = {"method": "replacement-block"}


def modules_of(session: Session, handle: str) -> list[weakref.ref[Any]]:
    return [weakref.ref(module) for module in session.repairs.get(handle).modules]


def alive(references: list[weakref.ref[Any]]) -> int:
    return sum(reference() is not None for reference in references)


def test_an_unloaded_repair_is_gone(words: PreTrainedTokenizerBase) -> None:
    session = Session()
    model, corpus = (
        session.models.add(Decoder(tiny_model("llama"), words)),
        session.corpora.add(corpus_for(words)),
    )
    (made,) = fit(session, model, corpus, BLOCK).repairs
    modules = modules_of(session, made)
    assert alive(modules) == 1
    ask(session, "repair.unload", repairs=[made])
    assert alive(modules) == 0
    with pytest.raises(DepthkitError, match="it was closed") as caught:
        ask(session, "repair.unload", repairs=[made])
    assert caught.value.code == "CLOSED"


def test_a_model_takes_with_it_all_that_was_made_on_it(
    words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    session = Session()
    decoders = [Decoder(tiny_model("llama"), words) for _ in range(2)]
    one, other = (session.models.add(decoder) for decoder in decoders)
    corpus = session.corpora.add(corpus_for(words))
    handles = [fit(session, model, corpus, BLOCK).repairs[0] for model in (one, other)]
    (tmp_path / "text.txt").write_text(" ".join(f"t{number % 90 + 3}" for number in range(40)))
    given = {"removed": [], "repairs": [], "model": one}
    ask(
        session,
        "evaluation.perplexity",
        **given,
        data={"kind": "files", "files": [str(tmp_path / "text.txt")]},
        chunk=16,
        maxChunks=1,
        bos="never",
    )
    task = session.tasks.add(dataclasses.replace(random_task(3), tokenizer_digest=tokenizer_digest(words)))
    ask(
        session,
        "evaluation.choices",
        **given,
        task=task,
        compareToDense=True,
    )
    kept: list[weakref.ref[Any]] = [weakref.ref(decoders[0].model), *modules_of(session, handles[0])]
    kept += [
        weakref.ref(last._made[1])
        for last in (session.dense_scores, session.stream)
        if last._made is not None
    ]
    others: list[weakref.ref[Any]] = [weakref.ref(decoders[1].model), *modules_of(session, handles[1])]
    del decoders[0]
    assert len(kept) == alive(kept) == 4
    ask(session, "model.unload", model=one)
    assert alive(kept) == 0
    assert alive(others) == 2
    assert len(session.repairs) == 1 and session.repairs.get(handles[1]) is not None


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is that of now on Linux alone")
def test_rounds_of_replacement_blocks_leave_no_memory_behind(words: PreTrainedTokenizerBase) -> None:
    config = LlamaConfig(**{**SHAPE, "hidden_size": 512, "intermediate_size": 2048})
    session = Session()
    corpus = session.corpora.add(corpus_for(words, rows=1))

    def one_round() -> None:
        model = session.models.add(Decoder(random_model(config), words))
        for block in ("block.1", "block.2", "block.3", "block.4"):
            fit(session, model, corpus, BLOCK, removed=[block])
        ask(session, "model.unload", model=model)

    one_round()
    before = resident_bytes()
    for _ in range(3):
        one_round()
    # Before anything else is made: what others free may stay with the process.
    grown = resident_bytes() - before
    block = sum(parameter.numel() for parameter in Decoder(random_model(config)).blocks[0].parameters())
    of_a_round = 4 * block * torch.float32.itemsize
    assert of_a_round > 60_000_000
    assert grown < of_a_round / 2
