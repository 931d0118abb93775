"""Text for a bench that needs none in particular: ids drawn at random."""

from __future__ import annotations

import numpy as np

from depthkit_worker.contract.wire import CorpusInfo
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.data.text import texts_from_strings


def random_corpus(vocabulary: int, sequences: int, length: int) -> Corpus:
    tokens = sequences * length
    ids = np.random.default_rng(0).integers(3, vocabulary, tokens).astype(np.int32)
    info = CorpusInfo(
        data=texts_from_strings(["random ids"]).info,
        tokens_digest="0" * 64,
        sequences=sequences,
        length=length,
        tokens=tokens,
        tokens_total=tokens,
        tokens_dropped=0,
        packing="pack",
        separator="",
        bos="never",
        bos_added=False,
        bos_in_text=0,
        first_tokens=(),
    )
    return Corpus(ids, tuple(range(0, tokens + 1, length)), info, "0" * 64)
