"""The engine on SmolLM2-135M against figures from programs that share nothing with this project.

A sample that takes seconds; `bench/engine_golden.py` goes through all of them.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from depthkit_worker.contract.wire import CorpusOptions, EngineOptions
from depthkit_worker.data.corpus import Corpus, make_corpus
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.masks import Subnetworks
from depthkit_worker.subnetworks.positions import MEASURES
from subnetworks.physical import one_removed

DEFAULT_SHARED = Path(__file__).parents[4] / "shared"
SHARED = Path(os.environ.get("DEPTHKIT_SHARED") or DEFAULT_SHARED)
KINDS = {"block": "block", "attn": "attention", "ffn": "feed-forward"}
BLOCKS = tuple(Unit("block", index) for index in range(30))

pytestmark = pytest.mark.skipif(
    not (SHARED / "golden").is_dir(),
    reason=f"there are no reference figures in {SHARED}; set DEPTHKIT_SHARED",
)


@pytest.fixture(scope="module")
def decoder(bundled_model: Path) -> Decoder:
    model = AutoModelForCausalLM.from_pretrained(bundled_model, dtype=torch.float32)
    return Decoder(model.eval(), AutoTokenizer.from_pretrained(bundled_model))


def corpus(decoder: Decoder, sequences: int) -> Corpus:
    lines = (SHARED / "data" / "calib_wikitext2_train.jsonl").read_text(encoding="utf-8").splitlines()[:40]
    texts = texts_from_strings([json.loads(line)["text"] for line in lines])
    assert decoder.tokenizer is not None
    return make_corpus(
        tokeniser_of(decoder), texts, CorpusOptions(length=128, sequences=sequences), Unattended()
    )


def golden(name: str) -> Any:
    return json.loads((SHARED / "golden" / name).read_text())


def test_leave_one_out_of_each_kind_of_unit(decoder: Decoder) -> None:
    names = ["block.14", "block.29", "attn.24", "attn.29", "ffn.22", "ffn.27"]
    units = [Unit.parse(f"{KINDS[kind]}.{index}") for kind, index in (name.split(".") for name in names)]
    expected = golden("smollm2.json")["loo_8x128"]["units"]
    result = evaluate_subnetworks(
        decoder, corpus(decoder, 8), one_removed(units), MEASURES, EngineOptions(), Unattended()
    )
    assert result.counts == (8 * 127, 8 * 128, 8 * 128)
    np.testing.assert_allclose(
        result.values, [[expected[name][m] for m in MEASURES] for name in names], rtol=1e-4
    )


def test_the_first_two_steps_of_the_greedy_path(decoder: Decoder) -> None:
    steps = golden("smollm2.json")["greedy_block_8x128"][:2]
    removals = [[step["removed"] for step in steps[: count + 1]] for count in range(2)]
    kept = np.array([[index not in removal for index in range(30)] for removal in removals])
    asked = Subnetworks(BLOCKS, kept)
    result = evaluate_subnetworks(
        decoder, corpus(decoder, 8), asked, ("loss",), EngineOptions(), Unattended()
    )
    np.testing.assert_allclose(result.values[:, 0], [step["loss"] for step in steps], rtol=1e-4)


def test_coalitions_of_the_game_of_ten(decoder: Decoder) -> None:
    game = golden("game10.json")
    coalitions = np.array([0, 1, 128, 600, 1007, 1022, 1023])
    kept = np.repeat((coalitions[:, None] >> np.arange(10) & 1).astype(np.bool_), 3, axis=1)
    result = evaluate_subnetworks(
        decoder, corpus(decoder, 2), Subnetworks(BLOCKS, kept), ("loss", "kl"), EngineOptions(), Unattended()
    )
    expected = [[game[key][index] for key in ("loss", "kl")] for index in coalitions]
    np.testing.assert_allclose(result.values, expected, rtol=1e-4, atol=1e-6)


def test_screened_values_are_near_and_in_order(decoder: Decoder) -> None:
    asked = one_removed([*BLOCKS[2:30:6], *(Unit(kind, 24) for kind in UNIT_KINDS[1:])])
    exact, screened = (
        evaluate_subnetworks(
            decoder,
            corpus(decoder, 1),
            asked,
            ("loss", "kl"),
            EngineOptions(precision=precision),
            Unattended(),
            # The values are the same without instructions for bfloat16; they take longer.
            fast=lambda _device: True,
        ).values
        for precision in ("exact", "screen")
    )
    off = np.abs(screened - exact)
    assert off.max() < 0.05
    assert off[:, 0].mean() < 0.02
    ranks = [losses.argsort().argsort() for losses in (screened[:, 0], exact[:, 0])]
    assert np.corrcoef(np.array(ranks)).min() > 0.9


@torch.inference_mode()
def test_a_cancel_is_looked_for_after_every_block_and_tile(decoder: Decoder) -> None:
    """Counted in block evaluations, since a busy machine's clock says little: nothing takes longer than
    one block or one tile of the head, and at this size a block takes some 40 ms."""

    class Job(Unattended):
        checks = 0

        def check(self) -> None:
            self.checks += 1

    job = Job()
    asked = one_removed(BLOCKS[-3:])
    result = evaluate_subnetworks(decoder, corpus(decoder, 1), asked, ("loss",), EngineOptions(), job)
    assert job.checks >= result.block_evaluations + 3 * (49152 // 4096)
