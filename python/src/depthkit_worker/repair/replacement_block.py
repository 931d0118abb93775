"""Replacement block: one decoder block in place of a run of removed ones (LLM-Streamline, arXiv 2403.19135).

It starts as the run's first block; a random start is known to fail. Untrained and for a run of one block
it is the dense model, bit for bit.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

from depthkit_worker.errors import DepthkitError
from depthkit_worker.repair.fitting import Base, Fill, Fitted
from depthkit_worker.repair.gaps import require_gaps
from depthkit_worker.repair.repair import BlockEdit
from depthkit_worker.repair.training.fills import train_fills
from depthkit_worker.repair.training.options import TrainingOptions
from depthkit_worker.repair.training.report import OnPoint, training_notes
from depthkit_worker.session.job import Job


@dataclass(frozen=True)
class ReplacementBlockOptions:
    training: TrainingOptions | None = None
    """None: the run's first block as it is."""


def fit_replacement_block(options: ReplacementBlockOptions, on_point: OnPoint, base: Base, job: Job) -> Fitted:
    """A block for each run of removed blocks."""
    gaps = require_gaps(base.subnetwork, "replacement-block")
    sublayers = [str(unit) for gap in gaps if gap.kind != "block" for unit in gap.units]
    if sublayers:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"A replacement block takes the place of removed blocks, and {', '.join(sublayers)} went alone. Repair "
            "sublayers with emulated-update, bias or low-rank first, or remove whole blocks.",
            units=sublayers,
        )
    fills = []
    for gap in gaps:
        job.check()
        block = copy.deepcopy(base.decoder.blocks[gap.first]).requires_grad_(False)
        fills.append(Fill(gap.units, {gap.first: BlockEdit(replacement=block)}))
    single = [str(gap.units[0]) for gap in gaps if gap.first == gap.last]
    notes = (f"for {', '.join(single)}, removed alone, this saves nothing: it starts as that block",) if single else ()
    if options.training is None:
        return Fitted(tuple(fills), notes=notes)
    trained, report = train_fills(base, fills, options.training, job, on_point)
    return Fitted(trained, training=report, notes=(*notes, *training_notes(report)))
