"""Bases of repairs on tiny models, and the states at gaps computed the plain way: all kept, from hooks."""

from __future__ import annotations

import itertools
import json
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from depthkit_worker.contract.wire import RepairFitOptions
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.repair.repair import Repair
from depthkit_worker.repair.storage import make_repair
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from influence.builders import corpus_of, random_rows, tiny

Array = NDArray[np.float64]
LENGTHS = (12, 9, 12, 5, 11, 12)


def units_of(*names: str) -> tuple[Unit, ...]:
    return tuple(Unit.parse(name) for name in names)


def base_of(
    model: str | Decoder,
    *names: str,
    rows: list[list[int]] | None = None,
    repairs: tuple[Repair, ...] = (),
    skip: int = 0,
    batch_size: int | None = 4,
) -> Base:
    decoder = tiny(model) if isinstance(model, str) else model
    rows = random_rows(*LENGTHS) if rows is None else rows
    options = RepairFitOptions(skip_tokens=skip, batch_size=batch_size)
    return Base(Subnetwork(decoder, units_of(*names), repairs), corpus_of(rows), options)


def many_rows(count: int = 40, length: int = 12) -> list[list[int]]:
    return random_rows(*[length] * count)


def repairs_of(base: Base, fitted: Fitted, method: str = "test") -> tuple[Repair, ...]:
    made = [
        make_repair(base.decoder, method, fill.removed, fill.edits, json.dumps({}), fill.base)
        for fill in fitted.fills
    ]
    return (*base.subnetwork.repairs, *made)


def sequences(base: Base) -> list[torch.LongTensor]:
    bounds = base.corpus.starts
    return [
        cast("torch.LongTensor", torch.from_numpy(base.corpus.ids[start:end].astype(np.int64))[None])
        for start, end in itertools.pairwise(bounds)
    ]


def batches(base: Base) -> list[torch.LongTensor]:
    """The sequences in their order, neighbours of one length together: a forward each is most of the time."""
    alike = itertools.groupby(sequences(base), key=lambda ids: ids.shape[1])
    return [cast("torch.LongTensor", torch.cat(list(group))) for _, group in alike]


@torch.no_grad()
def logits(base: Base, repairs: tuple[Repair, ...] = ()) -> list[Tensor]:
    with removed(Subnetwork(base.decoder, base.subnetwork.units, repairs)):
        return dense_logits(base)


@torch.no_grad()
def dense_logits(base: Base) -> list[Tensor]:
    """Of each sequence: (1, tokens, vocabulary)."""
    found = (base.decoder.model(input_ids=ids, use_cache=False).logits for ids in batches(base))
    return [one for batch in found for one in batch.split(1)]


@torch.no_grad()
def block_states(
    base: Base, first: int, last: int, without: tuple[Unit, ...] = (), repairs: tuple[Repair, ...] = ()
) -> tuple[Array, Array]:
    """What goes into block `first` and comes out of block `last` of the model's own forward, for every token
    but the skipped ones: fp64 (tokens, hidden)."""
    fronts: list[Array] = []
    behinds: list[Array] = []
    with removed(Subnetwork(base.decoder, without, repairs)):
        seen: dict[str, Tensor] = {}

        def front(_module: object, positional: tuple[Tensor, ...], keywords: dict[str, Tensor]) -> None:
            seen["front"] = (positional[0] if positional else keywords["hidden_states"]).clone()

        def behind(_module: object, _positional: object, output: Tensor | tuple[Tensor, ...]) -> None:
            seen["behind"] = (output[0] if isinstance(output, tuple) else output).clone()

        handles = [
            base.decoder.blocks[first].register_forward_pre_hook(front, with_kwargs=True),
            base.decoder.blocks[last].register_forward_hook(behind),
        ]
        for ids in batches(base):
            base.decoder.model(input_ids=ids, use_cache=False)
            for states, name in ((fronts, "front"), (behinds, "behind")):
                states.append(seen[name][:, base.options.skip_tokens :].flatten(0, 1).double().numpy())
        for handle in handles:
            handle.remove()
    return np.concatenate(fronts), np.concatenate(behinds)


def gap_states(base: Base, unit: Unit) -> tuple[Array, Array]:
    """The stream in front of one unit of the dense model and behind it."""
    index = unit.index
    if unit.kind == "block":
        return block_states(base, index, index)
    if unit.kind == "attention" or base.decoder.parallel:
        # The block with its other sublayer removed adds this one's update alone.
        other = Unit("feed-forward" if unit.kind == "attention" else "attention", index)
        return block_states(base, index, index, (other,))
    _, middle = block_states(base, index, index, (unit,))
    _, behind = block_states(base, index, index)
    return middle, behind
