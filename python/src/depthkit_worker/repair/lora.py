"""LoRA healing: low-rank changes of the blocks that stay, merged into their weights (arXiv 2403.17887)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from msgspec.structs import replace
from torch import LongTensor, Tensor

from depthkit_worker.contract.wire import LoraOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.logits import Reader
from depthkit_worker.models.stand_ins import PassThrough
from depthkit_worker.repair.adapters import Adapter, adapted, places
from depthkit_worker.repair.fitting import Base, Fill, Fitted
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.repair.training.loop import train
from depthkit_worker.repair.training.options import LEARNING_RATE_OF_WEIGHTS, settled
from depthkit_worker.repair.training.passes import Trained
from depthkit_worker.repair.training.report import OnPoint, training_notes
from depthkit_worker.repair.weight_changes import WeightChange
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.gates import removed

CHECKED_TOKENS = 128
MERGE_TOLERANCE = 1e-4
"""Largest difference of a logit between merged weights and adapter in fp32, by the largest logit where that
is over 1."""


def fit_lora(options: LoraOptions, on_point: OnPoint, base: Base, job: Job) -> Fitted:
    """Train adapters beside the blocks that stay and merge them. One repair for the model as a whole."""
    blocks = _healed(options, base)
    alpha = 2.0 * options.rank if options.alpha is None else options.alpha
    training = settled(options.training, base.corpus.sequences, learning_rate=LEARNING_RATE_OF_WEIGHTS)
    options = replace(options, alpha=alpha, training=training)
    probe = _probe(base)
    changes: dict[int, dict[str, WeightChange]] = {}
    adapter_logits: Tensor | None = None
    with removed(base.subnetwork):
        staying = [index for index in blocks if not isinstance(base.decoder.blocks[index], PassThrough)]
        first = min((place.block for place in places(base.decoder, staying, options.targets)), default=0)

    @contextmanager
    def surgery() -> Iterator[Trained]:
        nonlocal adapter_logits
        with removed(base.subnetwork):
            where = places(base.decoder, staying, options.targets)
            with adapted(base.decoder, where, options, alpha) as adapters:
                yield _trained(adapters)
                adapter_logits = _logits(base.decoder, probe)
                for adapter in adapters:
                    name = f"{adapter.place.name}.weight"
                    changes.setdefault(adapter.place.block, {})[name] = adapter.change()

    report = train(base, surgery, first, _settings(options), training, job, on_point)
    edits = {index: BlockEdit(weights=weights) for index, weights in changes.items()}
    fill = Fill(base.subnetwork.units, edits, tuple(repair.digest for repair in base.subnetwork.repairs))
    assert adapter_logits is not None
    merge = _merge_note(base, fill, probe, adapter_logits)
    return Fitted(options, (fill,), training=report, notes=(merge, *training_notes(report)))


def _healed(options: LoraOptions, base: Base) -> list[int]:
    depth = base.decoder.depth
    first = 0 if options.blocks.first is None else options.blocks.first
    last = depth - 1 if options.blocks.last is None else options.blocks.last
    if not first <= last < depth:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"LoRA was to heal blocks {first} to {last} of a model of {depth}. Blocks go from 0 to "
            f"{depth - 1}, and the first is not behind the last.",
            first=first,
            last=last,
            depth=depth,
        )
    for name, value in (("dropout", options.dropout), ("the experts' probability", _left_out(options))):
        if value == 1:
            raise DepthkitError(
                "INVALID_ARGUMENT",
                f"LoRA's {name} is {value}; it is 0 or more and less than 1, where nothing would be left to "
                f"train.",
                value=value,
            )
    return list(range(first, last + 1))


def _left_out(options: LoraOptions) -> float | None:
    return None if options.experts is None else options.experts.probability


def _trained(adapters: list[Adapter]) -> Trained:
    parameters = {
        f"{adapter.place.block}.{adapter.place.name}.{name}": parameter
        for adapter in adapters
        for name, parameter in adapter.parameters.items()
    }
    modes = tuple(dropout for adapter in adapters for dropout in adapter.dropouts)
    for module in modes:
        module.eval()
    return Trained(parameters, min(adapter.place.block for adapter in adapters), modes)


def _settings(options: LoraOptions) -> dict[str, object]:
    return {
        "lora": {
            "rank": options.rank,
            "alpha": options.alpha,
            "dropout": options.dropout,
            "targets": list(options.targets),
            "first": options.blocks.first,
            "last": options.blocks.last,
            "experts": _left_out(options),
        }
    }


def _probe(base: Base) -> LongTensor:
    """The front of the corpus's first sequence, (1, sequence)."""
    start, end = base.corpus.starts[:2]
    ids = torch.from_numpy(base.corpus.ids[start : min(end, start + CHECKED_TOKENS)].astype("int64"))[None]
    return cast("LongTensor", ids.to(base.decoder.device))


@torch.no_grad()
def _logits(decoder: Decoder, ids: LongTensor) -> Tensor:
    replay = decoder.begin(ids)
    logits = decoder.logits(decoder.stream(replay, decoder.depth), replay).float()
    Reader("Comparing merged LoRA weights with the adapter", decoder.dtype, "sequence").check(logits, [0])
    return logits


def _merge_note(base: Base, fill: Fill, probe: LongTensor, adapter: Tensor) -> str:
    """How far merged weights answer from the adapter they were merged from."""
    repair = Repair("lora", fill.removed, fill.edits, "lora", fill.base)
    with removed(base.subnetwork.repaired(repair)):
        merged = _logits(base.decoder, probe)
    difference = float((merged - adapter).abs().max())
    largest = max(1.0, float(adapter.abs().max()))
    # In low precision merging rounds, which is not a fault.
    if base.decoder.dtype.itemsize >= 4 and not difference <= MERGE_TOLERANCE * largest:
        raise DepthkitError(
            "INTERNAL",
            f"Merged into the weights, LoRA answers otherwise than beside them: a logit differs by "
            f"{difference:.2e}, allowed is {MERGE_TOLERANCE * largest:.0e}. This is a fault in depthkit; "
            f"please report it.",
            difference=difference,
        )
    packed = base.decoder.source.quantisation is not None and base.decoder.source.quantisation.packed
    what = "the change beside packed weights, as it is kept," if packed else "merged weights"
    return (
        f"{what} against the adapter: largest difference of a logit {difference:.2e} on "
        f"{probe.shape[1]} tokens"
    )
