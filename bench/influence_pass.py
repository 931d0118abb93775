"""All static metrics of all units against one plain forward pass over the same corpus, in alternation.

Prints one JSON line. Arguments: the model's folder, sequences, length, batch size, rounds.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path

import torch

from depthkit_worker.contract.wire import CorpusOptions, InfluenceOptions, ModelOptions
from depthkit_worker.data.corpus import make_corpus
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.influence.static import static_influence
from depthkit_worker.models.load import load_model
from depthkit_worker.session.job import Unattended


def main() -> None:
    folder, sequences, length, batch_size, rounds = sys.argv[1], *map(int, sys.argv[2:])
    job = Unattended()
    decoder = load_model(folder, Path(folder).parent.parent, ModelOptions(device="cpu"), job)
    from pydoc_data.topics import topics

    texts = texts_from_strings([topics[name] for name in sorted(topics)])
    corpus = make_corpus(tokeniser_of(decoder), texts, CorpusOptions(length=length, sequences=sequences), job)

    @torch.no_grad()
    def forward() -> None:
        for batch in corpus.batches(batch_size):
            decoder.model(input_ids=batch.input_ids, use_cache=False)

    def influence() -> None:
        static_influence(decoder, corpus, InfluenceOptions(batch_size=batch_size), job)

    forward()
    influence()
    seconds: dict[str, list[float]] = {"forward": [], "influence": []}
    for _ in range(rounds):
        for name, work in (("forward", forward), ("influence", influence)):
            started = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - started)
    ratios = [b / a for a, b in zip(seconds["forward"], seconds["influence"], strict=True)]
    print(
        json.dumps(
            {
                "threads": torch.get_num_threads(),
                "forwardSeconds": statistics.median(seconds["forward"]),
                "influenceSeconds": statistics.median(seconds["influence"]),
                "ratio": statistics.median(ratios),
                "ratios": ratios,
            }
        )
    )


if __name__ == "__main__":
    main()
