"""Tiny models with known faults and gifts, and corpora straight from token ids."""

from __future__ import annotations

import itertools

import numpy as np
import torch
from transformers import LlamaConfig

from depthkit_worker.contract.wire import CorpusInfo
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.models.decoder import Decoder
from tiny import SHAPE, random_model, tiny_model, token_ids


def llama(
    *, identity: tuple[int, ...] = (), nan_block: int | None = None, dtype: torch.dtype = torch.float32
) -> Decoder:
    """A random Llama; T-zero(k) with `identity=(k,)`, T-nan with `nan_block=2`."""
    model = random_model(LlamaConfig(**SHAPE), dtype=dtype)
    for index in identity:
        model.model.layers[index].self_attn.o_proj.weight.zero_()
        model.model.layers[index].mlp.down_proj.weight.zero_()
    if nan_block is not None:
        model.model.layers[nan_block].mlp.down_proj.weight[3, 5] = torch.nan
    return Decoder(model)


def tiny(name: str) -> Decoder:
    return Decoder(tiny_model(name))


def corpus_of(rows: list[list[int]]) -> Corpus:
    """A corpus of these sequences of token ids."""
    lengths = [len(row) for row in rows]
    ids = np.concatenate([np.asarray(row, dtype=np.int32) for row in rows])
    starts = tuple(itertools.accumulate(lengths, initial=0))
    return Corpus(ids, starts, corpus_info(lengths), "")


def corpus_info(lengths: list[int]) -> CorpusInfo:
    return CorpusInfo(
        data=texts_from_strings(["ids"]).info,
        tokens_digest="0" * 64,
        sequences=len(lengths),
        length=max(lengths),
        tokens=sum(lengths),
        tokens_total=sum(lengths),
        tokens_dropped=0,
        packing="pack",
        separator="",
        bos="auto",
        bos_added=False,
        bos_in_text=0,
        first_tokens=(),
    )


def random_rows(*lengths: int, seed: int = 0) -> list[list[int]]:
    return [token_ids(1, length, seed=seed + n)[0].tolist() for n, length in enumerate(lengths)]
