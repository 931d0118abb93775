"""Subnetworks made by hand: blocks taken out of a model, sublayers' last projections set to zero."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import LongTensor, Tensor, nn
from transformers import PreTrainedModel

from depthkit_worker.data.corpus import Corpus
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.subnetworks.masks import Subnetworks
from influence.builders import corpus_info

ATTENTION_ENDS = ("self_attn.o_proj", "attention.dense")
FEED_FORWARD_ENDS = (
    "mlp.down_proj",
    "mlp.dense_4h_to_h",
    "mlp.experts.down_proj",
    "mlp.shared_expert.down_proj",
)


class Physical:
    """Plain forwards of edited copies of one model. Copies of each block are made once."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._decoder = Decoder(copy.deepcopy(model))
        self._whole = list(self._decoder.blocks)
        self._types = getattr(model.config, "layer_types", None)
        self._edited: dict[tuple[int, bool, bool], nn.Module] = {}

    def logits(self, ids: LongTensor, removed: Collection[Unit]) -> Tensor:
        """(batch, sequence, vocabulary) without the units `removed`."""
        kept = [index for index in range(len(self._whole)) if Unit("block", index) not in removed]
        blocks = self._decoder.blocks
        del blocks[:]
        for index in kept:
            blocks.append(
                self._block(
                    index, Unit("attention", index) in removed, Unit("feed-forward", index) in removed
                )
            )
        config = self._decoder.config
        config.num_hidden_layers = len(kept)
        if self._types is not None:
            config.layer_types = [self._types[index] for index in kept]
        logits = self._decoder.model(input_ids=ids, use_cache=False).logits
        assert isinstance(logits, Tensor)
        return logits

    def _block(self, index: int, no_attention: bool, no_feed_forward: bool) -> nn.Module:
        key = (index, no_attention, no_feed_forward)
        if key not in self._edited:
            block = copy.deepcopy(self._whole[index])
            ends = ATTENTION_ENDS * no_attention + FEED_FORWARD_ENDS * no_feed_forward
            for name, parameter in block.named_parameters():
                if name.startswith(ends) and ends:
                    parameter.zero_()
            self._edited[key] = block
        return self._edited[key]


def measures_by_definition(logits: Tensor, dense: Tensor, ids: LongTensor) -> list[float]:
    """loss, kl and logit-distance, straight from their formulas in fp64."""
    y, z = logits.double(), dense.double()
    loss = nn.functional.cross_entropy(y[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
    log_p, log_q = z.log_softmax(-1), y.log_softmax(-1)
    kl = (log_p.exp() * (log_p - log_q)).sum(-1).mean()
    distance = (z - y).norm(dim=-1).mean()
    return [float(loss), float(kl), float(distance)]


def corpus_of(rows: Collection[LongTensor | Tensor]) -> Corpus:
    """A corpus of these sequences of ids, which may differ in length."""
    arrays = [row.numpy().astype(np.int32) for row in rows]
    starts = (0, *np.cumsum([len(row) for row in arrays]).tolist())
    return Corpus(np.concatenate(arrays), starts, corpus_info([len(row) for row in arrays]), "0" * 64)


def all_masks(units: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Every subset of so many units, (2^units, units)."""
    return (np.arange(2**units)[:, None] >> np.arange(units) & 1).astype(np.bool_)


def random_masks(rows: int, units: int, keep: float = 0.6, seed: int = 0) -> NDArray[np.bool_]:
    """(rows, units): each unit stays with probability `keep`."""
    return np.random.default_rng(seed).random((rows, units)) < keep


def one_removed(units: Sequence[Unit]) -> Subnetworks:
    """Each of `units` removed alone, in their order."""
    return Subnetworks(tuple(units), ~np.eye(len(units), dtype=np.bool_))
