"""Peak memory of an evaluation over what the loaded model takes, for 256 and for 2,048 subnetworks.

    PYTHONPATH=python/src python bench/engine_memory.py [MODEL_FOLDER TEXTS.jsonl [TOKENS]]

Without a model: a random Llama of 30 blocks, narrower than SmolLM2, so that 2,048 subnetworks take a
minute. Each count runs in a process of its own, which reads its own peak from /proc.
"""

from __future__ import annotations

import argparse
import multiprocessing
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForCausalLM, LlamaConfig

from depthkit_worker.contract.wire import EngineOptions
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.memory.peaks import PeakMemory
from depthkit_worker.memory.process import resident_bytes
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.masks import Subnetworks
from engine import load, read_corpus
from random_corpus import random_corpus

DEPTH, TOKENS, VOCABULARY = 30, 256, 8192


def made() -> tuple[Decoder, Corpus]:
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=256,
        num_hidden_layers=DEPTH,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    return Decoder(AutoModelForCausalLM.from_config(config).eval()), random_corpus(VOCABULARY, 1, TOKENS)


def run(subnetworks: int, given: argparse.Namespace) -> None:
    torch.set_num_threads(1 if given.model is None else 2)
    if given.model is None:
        decoder, corpus = made()
    else:
        decoder = load(given.model, torch.device("cpu"), torch.float32)
        corpus = read_corpus(given.model, decoder, given.texts, 1, given.tokens)
    depth = decoder.depth
    kept = np.array([np.random.default_rng(row).permutation(depth) < 22 for row in range(subnetworks)])
    units = tuple(Unit("block", index) for index in range(depth))
    # The dense model: weights come from their file as they are first used, and are to count as the model's.
    dense = Subnetworks(units, np.ones((1, depth), dtype=np.bool_))
    evaluate_subnetworks(decoder, corpus, dense, ("loss",), EngineOptions(), Unattended())
    before, watch = resident_bytes(), PeakMemory(*decoder.devices)
    result = evaluate_subnetworks(
        decoder, corpus, Subnetworks(units, kept), ("loss",), EngineOptions(), Unattended()
    )
    print(
        f"{subnetworks} subnetworks: {(watch.bytes() - before) / 1e6:.1f} MB over {before / 1e6:.0f} MB, "
        f"at most {result.states} states of {len(corpus.ids) * decoder.hidden_size * 4 / 1e6:.2f} MB, "
        f"{result.seconds:.0f} s",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("texts", type=Path, nargs="?")
    parser.add_argument("tokens", type=int, nargs="?", default=64)
    given = parser.parse_args()
    for count in (256, 2048):
        child = multiprocessing.get_context("spawn").Process(target=run, args=(count, given))
        child.start()
        child.join()


if __name__ == "__main__":
    main()
