"""All 90 leave-one-out values, the greedy order and the ten-player game against shared/golden.

    PYTHONPATH=python/src python bench/engine_golden.py MODEL_FOLDER SHARED_FOLDER [--threads 2] \\
        [--device cuda]

The tests check a dozen of these; this takes minutes. Exits with 1 where a value is more than 1e-4 off.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from depthkit_worker.contract.wire import CorpusOptions, EngineOptions, UnitKind
from depthkit_worker.data.corpus import Corpus, make_corpus
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.masks import Subnetworks
from depthkit_worker.subnetworks.positions import MEASURES

NAMES: dict[UnitKind, str] = {"block": "block", "attention": "attn", "feed-forward": "ffn"}
TOLERANCE = 1e-4


def corpus(decoder: Decoder, shared: Path, sequences: int) -> Corpus:
    lines = (shared / "data" / "calib_wikitext2_train.jsonl").read_text().splitlines()[:400]
    texts = texts_from_strings([json.loads(line)["text"] for line in lines])
    assert decoder.tokenizer is not None
    return make_corpus(
        tokeniser_of(decoder), texts, CorpusOptions(length=128, sequences=sequences), Unattended()
    )


def leave_one_out(decoder: Decoder, shared: Path, golden: dict[str, dict[str, dict[str, float]]]) -> float:
    worst = 0.0
    for kind, name in NAMES.items():
        units = tuple(Unit(kind, index) for index in range(decoder.depth))
        each = Subnetworks(units, ~np.eye(len(units), dtype=np.bool_))
        result = evaluate_subnetworks(
            decoder, corpus(decoder, shared, 8), each, MEASURES, EngineOptions(), Unattended()
        )
        for column, measure in enumerate(MEASURES):
            expected = np.array(
                [golden["units"][f"{name}.{index}"][measure] for index in range(decoder.depth)]
            )
            off = float(np.abs(result.values[:, column] / expected - 1).max())
            print(f"{kind:13} {measure:15} largest relative difference {off:.1e}", flush=True)
            worst = max(worst, off)
    return worst


def greedy(decoder: Decoder, shared: Path, golden: list[dict[str, float]]) -> float:
    gone: list[int] = []
    worst = 0.0
    for expected in golden:
        left = [index for index in range(decoder.depth) if index not in gone]
        kept = np.ones((len(left), decoder.depth), dtype=np.bool_)
        kept[:, gone] = False
        kept[np.arange(len(left)), left] = False
        units = tuple(Unit("block", index) for index in range(decoder.depth))
        result = evaluate_subnetworks(
            decoder,
            corpus(decoder, shared, 8),
            Subnetworks(units, kept),
            ("loss",),
            EngineOptions(),
            Unattended(),
        )
        best = int(result.values[:, 0].argmin())
        gone.append(left[best])
        off = abs(result.values[best, 0] / expected["loss"] - 1)
        print(
            f"greedy: removed {left[best]}, expected {expected['removed']}, loss off by {off:.1e}", flush=True
        )
        worst = max(worst, off if left[best] == expected["removed"] else 1.0)
    return worst


def game(decoder: Decoder, shared: Path) -> float:
    golden = json.loads((shared / "golden" / "game10.json").read_text())
    coalitions = np.random.default_rng(0).permutation(1024)[:64]
    groups = coalitions[:, None] >> np.arange(10) & 1
    kept = np.repeat(groups.astype(np.bool_), 3, axis=1)
    units = tuple(Unit("block", index) for index in range(decoder.depth))
    result = evaluate_subnetworks(
        decoder,
        corpus(decoder, shared, 2),
        Subnetworks(units, kept),
        ("loss", "kl"),
        EngineOptions(),
        Unattended(),
    )
    expected = np.array([[golden[key][index] for key in ("loss", "kl")] for index in coalitions])
    # The dense model's own kl is 0 up to rounding on their side.
    off = float((np.abs(result.values - expected) / np.maximum(np.abs(expected), 1e-2)).max())
    print(f"game of ten, 64 coalitions: largest relative difference {off:.1e}", flush=True)
    return off


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("shared", type=Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(given.threads or torch.get_num_threads())
    shared = given.shared
    model = AutoModelForCausalLM.from_pretrained(given.model, dtype=torch.float32).eval().to(given.device)
    decoder = Decoder(model, AutoTokenizer.from_pretrained(given.model))
    golden = json.loads((shared / "golden" / "smollm2.json").read_text())
    worst = max(
        game(decoder, shared),
        leave_one_out(decoder, shared, golden["loo_8x128"]),
        greedy(decoder, shared, golden["greedy_block_8x128"]),
    )
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
