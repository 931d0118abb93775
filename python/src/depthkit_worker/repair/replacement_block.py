"""Replacement block: one decoder block in place of a run of removed ones (LLM-Streamline, arXiv 2403.19135).

It starts as the run's first block; a random start is known to fail. Untrained and for a run of one block
it is the dense model, bit for bit.
"""

from __future__ import annotations

import copy

from depthkit_worker.contract.wire import ReplacementBlockOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.repair.fitting import Base, Fill, Fitted
from depthkit_worker.repair.gaps import require_gaps
from depthkit_worker.repair.repair import BlockEdit
from depthkit_worker.repair.training.fills import train_fills
from depthkit_worker.repair.training.options import LEARNING_RATE_OF_WEIGHTS, settled
from depthkit_worker.repair.training.report import OnPoint, training_notes
from depthkit_worker.session.job import Job


def fit_replacement_block(
    options: ReplacementBlockOptions, on_point: OnPoint, base: Base, job: Job
) -> Fitted:
    """A block for each run of removed blocks."""
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
        block = copy.deepcopy(base.decoder.blocks[gap.first]).requires_grad_(False)
        fills.append(Fill(gap.units, {gap.first: BlockEdit(replacement=block)}))
    single = [str(gap.units[0]) for gap in gaps if gap.first == gap.last]
    notes = (
        (f"for {', '.join(single)}, removed alone, this saves nothing: it starts as that block",)
        if single
        else ()
    )
    if options.training is None:
        return Fitted(options, tuple(fills), notes=notes)
    training = settled(options.training, base.corpus.sequences, learning_rate=LEARNING_RATE_OF_WEIGHTS)
    trained, report = train_fills(base, fills, training, job, on_point)
    options = ReplacementBlockOptions(training=training)
    return Fitted(options, trained, training=report, notes=(*notes, *training_notes(report)))
