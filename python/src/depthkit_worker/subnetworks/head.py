"""The output head in tiles of the vocabulary, so that logits never exist as a whole.

A tile of logits is small enough to stay in the processor's cache while every measure reads it. The
numbers are the model's own, bit for bit: a matrix product gives the same elements whether its columns
are computed together or apart. That is checked once, when a head is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.devices import missing_for_kernels
from depthkit_worker.models.onednn import OneDnnLinear, linear
from depthkit_worker.subnetworks.screening import Products, own_products

if TYPE_CHECKING:
    from depthkit_worker.subnetworks.head_kernel import HeadKernel

TILE_BYTES = {"cpu": 2 << 20, "cuda": 256 << 20}
"""fp32 logits at a time. On CPU a core's share of the cache; measured in docs/engine.md."""
LEAST_COLUMNS = 256
PROBE = (3, 5)
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Tile:
    """Some of the vocabulary."""

    columns: slice
    weight: Tensor
    """(columns, hidden)"""
    bias: Tensor | None


@dataclass(frozen=True)
class LogitChanges:
    """What a model does to its logits, in its dtype and in this order; None: nothing."""

    multiplier: float | None
    divisor: float | None
    softcap: float | None


class Head:
    """Final norm, head and what the model does to its logits, taken apart."""

    def __init__(self, decoder: Decoder) -> None:
        head = decoder.model.get_output_embeddings()
        if not isinstance(head, nn.Linear):
            raise _unknown(decoder, f"its output embeddings are a {type(head).__name__}, not a linear layer")
        self._norm = decoder.model.get_submodule(decoder.family.final_norm)
        self._linear = linear if isinstance(head, OneDnnLinear) else nn.functional.linear
        self._weight: Tensor = head.weight
        self._bias: Tensor | None = head.bias
        config, multiplier = decoder.config, decoder.family.logit_multiplier
        self.changes = LogitChanges(
            getattr(config, multiplier) if multiplier else None,
            getattr(config, "logits_scaling", None),
            getattr(config, "final_logit_softcapping", None),
        )
        _check(self, decoder)

    @property
    def kernel(self) -> HeadKernel | None:
        """What takes the place of `tiles` and `logits` on a GPU; None where there is none that works."""
        return None if isinstance(self._kernel, str) else self._kernel

    @property
    def without_kernel(self) -> str:
        """Why there is no kernel on this GPU; empty where there is one, or no GPU."""
        return self._kernel if isinstance(self._kernel, str) else ""

    @cached_property
    def _kernel(self) -> HeadKernel | str:
        missing = missing_for_kernels(self.device)
        if missing is not None:
            return missing
        from depthkit_worker.subnetworks.head_kernel import HeadKernel  # what it imports is on such machines

        return HeadKernel.checked(self)

    @property
    def vocabulary(self) -> int:
        return self._weight.shape[0]

    @property
    def device(self) -> torch.device:
        return self._weight.device

    @property
    def weight(self) -> Tensor:
        """(vocabulary, hidden)"""
        return self._weight

    @property
    def bias(self) -> Tensor | None:
        """(vocabulary,)"""
        return self._bias

    def read(self, hidden: Tensor) -> Tensor:
        """What the head multiplies, (rows, hidden), from final states (rows, hidden)."""
        normed: Tensor = self._norm(hidden)
        return normed.to(self.device)

    def tiles(self, rows: int) -> Iterator[Tile]:
        """The vocabulary, cut for `rows` rows at a time."""
        limit = TILE_BYTES.get(self.device.type, TILE_BYTES["cuda"])
        columns = max(LEAST_COLUMNS, limit // (4 * rows) // LEAST_COLUMNS * LEAST_COLUMNS)
        for first in range(0, self.vocabulary, columns):
            part = slice(first, min(first + columns, self.vocabulary))
            yield Tile(part, self._weight[part], None if self._bias is None else self._bias[part])

    def logits(self, normed: Tensor, tile: Tile, products: Products = own_products) -> Tensor:
        """fp32 (rows, columns): the caller's to write to."""
        with products():
            logits = self._linear(normed, tile.weight, tile.bias)
        logits = logits.to(normed.dtype)
        changes = self.changes
        if changes.multiplier is not None:
            logits *= changes.multiplier
        if changes.divisor is not None:
            logits /= changes.divisor
        if changes.softcap is not None:
            logits = (logits / changes.softcap).tanh_() * changes.softcap
        return logits.float()


@torch.inference_mode()
def _check(head: Head, decoder: Decoder) -> None:
    """Refuse a model whose logits are not what `head` makes of its final states."""
    ids = torch.arange(PROBE[0] * PROBE[1], device=decoder.device).view(PROBE) % decoder.vocabulary_size
    replay = decoder.begin(ids)  # type: ignore[arg-type]
    expected = decoder.logits(replay.hidden, replay).flatten(0, 1).float()
    normed = head.read(replay.hidden.flatten(0, 1))
    got = torch.cat([head.logits(normed, tile) for tile in head.tiles(len(normed))], dim=1)
    if got.shape != expected.shape:
        raise _unknown(decoder, f"it gives {expected.shape[1]} logits per token, its head {got.shape[1]}")
    expected = expected.to(got.device)
    # Broken weights give the same broken logits both ways, which whoever measures them will say.
    same = (got == expected) | (got.isnan() & expected.isnan())
    scale = expected.abs().nan_to_num(0.0, posinf=0.0).max().clamp_min(1e-6)
    off = float((got - expected).masked_fill(same, 0.0).abs().max() / scale)
    # Low precision leaves room for the order of additions, and no more.
    if not off <= max(TOLERANCE, 4 * torch.finfo(head._weight.dtype).eps):
        raise _unknown(decoder, f"its logits differ from norm and head by {off:.1e} of their size")


def _unknown(decoder: Decoder, why: str) -> DepthkitError:
    model_type = decoder.config.model_type
    return DepthkitError(
        "MODEL_UNSUPPORTED",
        f"The output head of this {model_type} model cannot be taken apart: {why}. The engine knows a final "
        "norm, a linear layer, a scale and a soft cap.",
        modelType=model_type,
    )
