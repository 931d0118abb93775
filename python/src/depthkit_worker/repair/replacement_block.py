"""Replacement block: one decoder block in place of a run of removed ones (LLM-Streamline, arXiv 2403.19135),
or one of the paper's small networks.

A block starts as the run's first; a random start is known to fail. Untrained and for a run of one block it is
the dense model, bit for bit. The networks start at random and have no residual: what they make of the stream
is the stream behind the run.
"""

from __future__ import annotations

import copy

import torch
from msgspec.structs import replace
from torch import Tensor

from depthkit_worker.contract.wire import ReplacementBlockOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.stand_ins import require_whole
from depthkit_worker.models.stream_updates import FeedForward, SwiGlu
from depthkit_worker.repair.fitting import Base, Fill, Fitted
from depthkit_worker.repair.gap_filling import fill_gap
from depthkit_worker.repair.gaps import Gap, require_gaps
from depthkit_worker.repair.repair import BlockEdit
from depthkit_worker.repair.training.fills import train_fills
from depthkit_worker.repair.training.options import LEARNING_RATE, LEARNING_RATE_OF_WEIGHTS, settled
from depthkit_worker.repair.training.report import OnPoint, training_notes
from depthkit_worker.session.job import Job

GAP_STRIDE = 1_000_003
"""Between the seeds of two gaps, so that trainings of seeds next to each other share no start."""


def fit_replacement_block(
    options: ReplacementBlockOptions, on_point: OnPoint, base: Base, job: Job
) -> Fitted:
    """A block, or a network, for each run of removed blocks."""
    _check(options)
    gaps = require_gaps(base.subnetwork, "replacement-block")
    sublayers = [str(unit) for gap in gaps if gap.kind != "block" for unit in gap.units]
    if sublayers:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"A replacement block takes the place of removed blocks, and {', '.join(sublayers)} went alone. "
            "Repair sublayers with emulated-update, bias or low-rank first, or remove whole blocks.",
            units=sublayers,
        )
    fills = []
    for gap in gaps:
        job.check()
        fills.append(_block(base, gap) if options.kind == "block" else _network(options, base, gap))
    single = [str(gap.units[0]) for gap in gaps if gap.first == gap.last and options.kind == "block"]
    notes = (
        (f"for {', '.join(single)}, removed alone, this saves nothing: it starts as that block",)
        if single
        else ()
    )
    if options.training is None:
        return Fitted(options, tuple(fills), notes=notes)
    rate = LEARNING_RATE_OF_WEIGHTS if options.kind == "block" else LEARNING_RATE
    training = settled(options.training, base.corpus.sequences, learning_rate=rate)
    trained, report = train_fills(base, fills, training, job, on_point)
    options = replace(options, training=training)
    return Fitted(options, trained, training=report, notes=(*notes, *training_notes(report)))


def _check(options: ReplacementBlockOptions) -> None:
    if options.kind == "block" and options.width is not None:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"A replacement block was to be {options.width} wide; a block has the width of the one it starts "
            "from. Leave width out, or take kind feed-forward or swiglu.",
            width=options.width,
        )
    if options.kind != "block" and options.training is None:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"A {options.kind} network in place of removed blocks starts at random and means nothing until "
            "it is trained. Give training, or take kind block.",
            kind=options.kind,
        )


def _block(base: Base, gap: Gap) -> Fill:
    decoder, first = base.decoder, gap.first
    require_whole(decoder.blocks[first], decoder.family, first, "A replacement block starts as a copy of")
    block = copy.deepcopy(decoder.blocks[first]).requires_grad_(False)
    return Fill(gap.units, {gap.first: BlockEdit(replacement=block)})


def _network(options: ReplacementBlockOptions, base: Base, gap: Gap) -> Fill:
    """Weights and biases uniform within 1 / sqrt(inputs), as PyTorch starts its linear layers."""
    assert options.training is not None
    hidden = base.decoder.hidden_size
    swiglu = options.kind == "swiglu"
    width = options.width or (8 * hidden // 3 if swiglu else 4 * hidden)
    generator = torch.Generator().manual_seed((options.training.seed + GAP_STRIDE * gap.first) % 2**63)
    device = base.decoder.block_device(gap.first)

    def drawn(inputs: int, *shape: int) -> Tensor:
        values: Tensor = (2 * torch.rand(shape, generator=generator) - 1) / inputs**0.5
        return values.to(device, base.decoder.dtype)

    if swiglu:
        gate, up, down = (
            drawn(hidden, hidden, width),
            drawn(hidden, hidden, width),
            drawn(width, width, hidden),
        )
        return fill_gap(base, gap, SwiGlu(gate, up, down))
    up, up_bias = drawn(hidden, hidden, width), drawn(hidden, width)
    down, down_bias = drawn(width, width, hidden), drawn(width, hidden)
    return fill_gap(base, gap, FeedForward(up, up_bias, down, down_bias))
