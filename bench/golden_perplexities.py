"""Perplexities against shared/golden: of the whole model in chunks of three lengths, and with 1, 2, 3 and 5
blocks removed, with and without emulated updates.

    PYTHONPATH=python/src python bench/golden_perplexities.py MODEL_FOLDER SHARED_FOLDER

The tests check some of these; this takes minutes. Exits with 1 where a value is more than 1e-4 off.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from depthkit_worker.contract.wire import (
    CorpusOptions,
    EmulatedUpdateOptions,
    FileSource,
    PerplexityOptions,
    RepairFitOptions,
)
from depthkit_worker.data.corpus import make_corpus
from depthkit_worker.data.stream import make_stream
from depthkit_worker.data.text import read_texts, texts_from_strings
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.evaluation.perplexity import perplexity
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.emulated_update import fit_emulated_update
from depthkit_worker.repair.fitting import Base
from depthkit_worker.repair.repair import Repair
from depthkit_worker.repair.storage import make_repair
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork

TOLERANCE = 1e-4


def main() -> int:
    folder, shared = Path(sys.argv[1]), Path(sys.argv[2])
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    decoder, job = Decoder(model, AutoTokenizer.from_pretrained(folder)), Unattended()
    tokeniser = tokeniser_of(decoder)
    golden = json.loads((shared / "golden" / "smollm2.json").read_text())
    lines = (shared / "data" / "calib_wikitext2_train.jsonl").read_text(encoding="utf-8").splitlines()[:80]
    texts = texts_from_strings([json.loads(line)["text"] for line in lines])
    corpus = make_corpus(tokeniser, texts, CorpusOptions(length=128, sequences=32), job)
    test = read_texts(FileSource(files=(str(shared / "data" / "wikitext2.test.txt"),)), job)
    stream = make_stream(tokeniser, test, PerplexityOptions(rows="wikitext"), job)
    worst = 0.0

    def compare(
        name: str, expected: float, options: PerplexityOptions, *gone: Unit, repairs: tuple[Repair, ...] = ()
    ) -> None:
        nonlocal worst
        value = perplexity(Subnetwork(decoder, gone, repairs), stream, options, job).perplexity
        off = abs(float(value) / expected - 1)
        print(f"{name}: {value:.4f}, relative difference {off:.1e}", flush=True)
        worst = max(worst, off)

    for chunk, chunks in ((128, 64), (512, 16), (2048, 4)):
        name = f"{chunk}x{chunks}"
        expected = golden["perplexity_wikitext2_first_chunks"][name]["ppl"]
        compare(
            name,
            expected,
            PerplexityOptions(chunk=chunk, max_chunks=chunks, batch_size=max(1, 1024 // chunk)),
        )
    of = golden["emulated_update"]
    for count in (1, 2, 3, 5):
        units = tuple(Unit("block", index) for index in of["cosine_order"][:count])
        fitted = fit_emulated_update(
            EmulatedUpdateOptions(), Base(Subnetwork(decoder, units), corpus, RepairFitOptions()), job
        )
        repairs = tuple(
            make_repair(decoder, "emulated-update", fill.removed, fill.edits, "{}") for fill in fitted.fills
        )
        for what, used in (("remove", ()), ("emulated", repairs)):
            name = f"{what}_{count}"
            compare(name, of[name]["ppl"], PerplexityOptions(chunk=512, max_chunks=16), *units, repairs=used)
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
