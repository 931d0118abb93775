"""Emulated updates on SmolLM2-135M against figures from a program that shares nothing with this one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data.resources import golden, shared, smollm2
from depthkit_worker.contract.wire import (
    CorpusOptions,
    EmulatedUpdateOptions,
    FileSource,
    PerplexityOptions,
    RepairFitOptions,
)
from depthkit_worker.data.corpus import Corpus, make_corpus
from depthkit_worker.data.stream import make_stream
from depthkit_worker.data.text import read_texts, texts_from_strings
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.evaluation.perplexity import perplexity
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.emulated_update import fit_emulated_update
from depthkit_worker.repair.fitting import Base
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from repair.builders import repairs_of


def calibration(decoder: Decoder, sequences: int, length: int) -> Corpus:
    lines = (shared() / "data" / "calib_wikitext2_train.jsonl").read_text(encoding="utf-8").splitlines()[:80]
    texts = texts_from_strings([json.loads(line)["text"] for line in lines])
    options = CorpusOptions(length=length, sequences=sequences)
    return make_corpus(tokeniser_of(decoder), texts, options, Unattended())


def test_perplexity_with_emulated_updates(bundled_model: Path) -> None:
    """32 x 128 tokens of calibration, perplexity on 16 x 512 tokens without the first 5 blocks in the
    reference's own order. `bench/golden_perplexities.py` goes through all counts, with and without the
    updates."""
    expected = golden("smollm2.json")["emulated_update"]
    decoder = smollm2(bundled_model)
    corpus = calibration(decoder, 32, 128)
    wikitext = read_texts(FileSource(files=(str(shared() / "data" / "wikitext2.test.txt"),)), Unattended())
    options = PerplexityOptions(rows="wikitext", chunk=512, max_chunks=16)
    stream = make_stream(tokeniser_of(decoder), wikitext, options, Unattended())

    units = tuple(Unit("block", index) for index in expected["cosine_order"][:5])
    base = Base(Subnetwork(decoder, units), corpus, RepairFitOptions())
    repairs = repairs_of(base, fit_emulated_update(EmulatedUpdateOptions(), base, Unattended()))
    result = perplexity(Subnetwork(decoder, units, repairs), stream, options, Unattended())
    assert result.perplexity == pytest.approx(expected["emulated_5"]["ppl"], rel=1e-4)
