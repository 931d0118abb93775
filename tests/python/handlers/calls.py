"""Calls of handlers without sockets: params as a client packs them, a session, and what was sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import msgspec
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import METHODS
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.data.tokens import tokenizer_digest
from depthkit_worker.handlers.table import HANDLERS
from depthkit_worker.session.call import Buffer, Call
from depthkit_worker.session.session import Session
from influence.builders import corpus_of, random_rows

TRAINING: dict[str, Any] = {
    "objective": {"kl": 1.0, "loss": 0.0, "hidden": 0.0},
    "teacherTop": 10,
    "steps": 4,
    "batchSize": 2,
    "accumulation": 1,
    "learningRate": 0.01,
    "warmup": 1,
    "clip": 1.0,
    "weightDecay": 0.0,
    "activationCheckpointing": False,
    "validation": 0,
    "validateEvery": 2,
    "patience": None,
    "folder": None,
    "saveEvery": 2,
    "seed": 0,
}


def ask(session: Session, method: str, /, **params: Any) -> Any:
    """What the handler answers."""
    sent: list[Sequence[Buffer]] = []
    typed = msgspec.convert(params, METHODS[method][0])
    return HANDLERS.resolve(method)(session, typed, Call(b"test", 1, method, [], sent.append))


def corpus_for(tokenizer: PreTrainedTokenizerBase, rows: int = 4) -> Corpus:
    return dataclasses.replace(
        corpus_of(random_rows(*[12] * rows)), tokenizer_digest=tokenizer_digest(tokenizer)
    )


def fit(session: Session, model: str, corpus: str, method: dict[str, Any], **params: Any) -> Any:
    given = {"removed": ["block.2", "block.3"], "repairs": [], "skipTokens": 0, "batchSize": 2, **params}
    return ask(session, "repair.fit", model=model, corpus=corpus, repair=method, **given)
