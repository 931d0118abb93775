"""Peak memory of an evaluation over what the loaded model takes, for 256 and for 2,048 subnetworks.

    PYTHONPATH=python/src python bench/engine_memory.py

A random Llama of 30 blocks, narrower than SmolLM2 so that 2,048 subnetworks take a minute. Each count
runs in a process of its own, which reads its own peak from /proc.
"""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from depthkit_worker.data.corpus import Corpus, CorpusOptions
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.job import Unattended
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.subnetworks.engine import EngineOptions, evaluate_subnetworks
from depthkit_worker.subnetworks.masks import Subnetworks

DEPTH, TOKENS, VOCABULARY = 30, 256, 8192


def peak_megabytes(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def run(subnetworks: int) -> None:
    torch.set_num_threads(1)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=256,
        num_hidden_layers=DEPTH,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    decoder = Decoder(AutoModelForCausalLM.from_config(config).eval())
    ids = np.random.default_rng(0).integers(3, VOCABULARY, TOKENS).astype(np.int32)
    corpus = Corpus(
        ids, (0, TOKENS), CorpusOptions(TOKENS), texts_from_strings(["none"]), False, TOKENS, 0, "0" * 64, "0" * 64
    )
    kept = np.array([np.random.default_rng(row).permutation(DEPTH) < 22 for row in range(subnetworks)])
    units = tuple(Unit("block", index) for index in range(DEPTH))
    evaluate_subnetworks(decoder, corpus, Subnetworks(units, kept[:1]), EngineOptions(("loss",)), Unattended())
    before = peak_megabytes("VmRSS")
    result = evaluate_subnetworks(decoder, corpus, Subnetworks(units, kept), EngineOptions(("loss",)), Unattended())
    print(
        f"{subnetworks} subnetworks: {peak_megabytes('VmHWM') - before:.1f} MB over {before:.0f} MB, "
        f"at most {result.states} states of {TOKENS * 256 * 4 / 1e6:.2f} MB, {result.seconds:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    for count in (256, 2048):
        child = multiprocessing.get_context("spawn").Process(target=run, args=(count,))
        child.start()
        child.join()
