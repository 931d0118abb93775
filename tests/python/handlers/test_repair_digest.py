"""A repair is named by what it does: equal tensors in equal places have equal digests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerBase

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import Constant, Linear, LowRank, Scale
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.repair import BlockEdit
from depthkit_worker.repair.storage import make_repair
from depthkit_worker.repair.weight_changes import Product, Sum
from depthkit_worker.session.session import Session
from handlers.calls import TRAINING, ask, corpus_for, fit
from tiny import tiny_model

TRAINED: dict[str, dict[str, Any]] = {
    "bias": {},
    "low-rank": {"rank": 2, "input": "normed", "reference": "dense", "ridge": 0.01},
    "patch": {},
    "replacement-block": {},
    "lora": {
        "rank": 2,
        "alpha": 4.0,
        "dropout": 0.0,
        "targets": ["feed-forward"],
        "experts": None,
    },
}


@pytest.mark.parametrize("kind", TRAINED)
def test_where_and_how_often_checkpoints_are_written_does_not_count(
    kind: str, words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    session, decoder = Session(), Decoder(tiny_model("llama"), words)
    model, corpus = session.models.add(decoder), session.corpora.add(corpus_for(words))
    saved = []
    for number, changed in enumerate(
        [{"folder": str(tmp_path / "a"), "saveEvery": 1}, {"folder": str(tmp_path / "b"), "saveEvery": 3}, {}]
    ):
        method = {"method": kind, **TRAINED[kind], "training": {**TRAINING, **changed}}
        made = fit(session, model, corpus, method)
        target = tmp_path / f"saved {number}"
        given = {"removed": ["block.2", "block.3"], "repairs": made.repairs}
        ask(session, "repair.save", model=model, folder=str(target), overwrite=False, **given)
        saved.append(((target / "repair.json").read_text(), (target / "repair.safetensors").read_bytes()))
    assert saved[0] == saved[1] == saved[2]
    assert str(tmp_path) not in saved[0][0]
    settings = json.loads(saved[0][0])["repairs"][0]["settings"]
    assert settings["training"]["steps"] == 4

    other = {"method": kind, **TRAINED[kind], "training": {**TRAINING, "learningRate": 0.02}}
    assert (
        fit(session, model, corpus, other).report.repairs[0].digest
        != json.loads(saved[0][0])["repairs"][0]["digest"]
    )


UNITS = (Unit("block", 2),)


def digest(
    edits: dict[int, BlockEdit],
    units: tuple[Unit, ...] = UNITS,
    method: str = "by-hand",
    settings: str = "{}",
    base: tuple[str, ...] = (),
) -> str:
    return make_repair(Decoder(tiny_model("llama")), method, units, edits, settings, base).digest


def test_what_counts_is_what_it_does() -> None:
    ones = torch.ones(4)
    matrix = torch.eye(4)
    same = digest({2: BlockEdit(beside=Constant(ones))})
    assert (
        digest({2: BlockEdit(beside=Constant(ones.clone()))}, method="another", settings='{"seed": 1}')
        == same
    )
    changed = ones.clone()
    changed[3] = torch.nextafter(changed[3], torch.tensor(2.0))
    different = [
        digest({2: BlockEdit(beside=Constant(changed))}),
        digest({2: BlockEdit(beside=Constant(ones.half()))}),
        digest({2: BlockEdit(after=Constant(ones))}),
        digest({1: BlockEdit(beside=Constant(ones))}),
        digest({2: BlockEdit(beside=Constant(ones))}, units=(Unit("block", 2), Unit("block", 3))),
        digest({2: BlockEdit(beside=Constant(ones))}, base=("0" * 64,)),
        digest({2: BlockEdit(beside=Linear(matrix))}),
        digest({2: BlockEdit(beside=Linear(matrix, ones))}),
        digest({2: BlockEdit(beside=LowRank(matrix, matrix, ones, "raw", 1e-6))}),
        digest({2: BlockEdit(beside=LowRank(matrix, matrix, ones, "normed", 1e-6))}),
        digest({2: BlockEdit(beside=LowRank(matrix, matrix, ones, "normed", 1e-5))}),
        digest({2: BlockEdit(beside=Scale(1.5))}),
        digest({2: BlockEdit(beside=Scale(1.5000000000000002))}),
        digest({2: BlockEdit(weights={"a": Product(matrix, True)})}),
        digest({2: BlockEdit(weights={"a": Product(matrix, False)})}),
        digest({2: BlockEdit(weights={"b": Product(matrix, False)})}),
        digest({2: BlockEdit(weights={"a": Sum(matrix, matrix, 1.0)})}),
        digest({2: BlockEdit(weights={"a": Sum(matrix, matrix, 2.0)})}),
    ]
    assert len({same, *different}) == 1 + len(different)
