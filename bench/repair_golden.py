"""Perplexities with 1, 2, 3 and 5 blocks removed, with and without emulated updates, against shared/golden.

    PYTHONPATH=python/src python bench/repair_golden.py MODEL_FOLDER SHARED_FOLDER

The tests check two of these; this takes minutes. Exits with 1 where a value is more than 1e-4 off.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from depthkit_worker.data.corpus import CorpusOptions, make_corpus
from depthkit_worker.data.stream import make_stream
from depthkit_worker.data.text import texts_from_files, texts_from_strings
from depthkit_worker.evaluation.perplexity import PerplexityOptions, perplexity
from depthkit_worker.job import Unattended
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.emulated_update import EmulatedUpdateOptions, fit_emulated_update
from depthkit_worker.repair.method import Base
from depthkit_worker.repair.storage import make_repair

TOLERANCE = 1e-4


def main() -> int:
    folder, shared = Path(sys.argv[1]), Path(sys.argv[2])
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    decoder, job = Decoder(model, AutoTokenizer.from_pretrained(folder)), Unattended()
    tokenizer = decoder.require_tokenizer()
    golden = json.loads((shared / "golden" / "smollm2.json").read_text())["emulated_update"]
    lines = (shared / "data" / "calib_wikitext2_train.jsonl").read_text(encoding="utf-8").splitlines()[:80]
    texts = texts_from_strings([json.loads(line)["text"] for line in lines])
    corpus = make_corpus(tokenizer, texts, CorpusOptions(128, 32), job)
    test = texts_from_files([shared / "data" / "wikitext2.test.txt"], job)
    stream = make_stream(tokenizer, test, job, rows="wikitext")
    worst = 0.0
    for count in (1, 2, 3, 5):
        units = tuple(Unit("block", index) for index in golden["cosine_order"][:count])
        fitted = fit_emulated_update(EmulatedUpdateOptions(), Base(decoder, units, (), corpus), job)
        repairs = [make_repair(decoder, "emulated-update", fill.removed, fill.edits, "{}") for fill in fitted.fills]
        for name, used in (("remove", []), ("emulated", repairs)):
            options = PerplexityOptions(chunk=512, max_chunks=16)
            value = perplexity(decoder, stream, options, job, units=units, repairs=used).perplexity
            off = abs(value / golden[f"{name}_{count}"]["ppl"] - 1)
            print(f"{name}_{count}: {value:.4f}, relative difference {off:.1e}", flush=True)
            worst = max(worst, off)
    return 0 if worst <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
