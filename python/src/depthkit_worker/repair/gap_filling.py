"""Putting fitted updates into their gaps, and training them from where the closed form left them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace
from torch import nn

from depthkit_worker.contract.wire import GapError, LowRankOptions, PatchOptions
from depthkit_worker.repair.fitting import Base, Fill, Fitted
from depthkit_worker.repair.gaps import Gap
from depthkit_worker.repair.least_squares import GapRegression, affine_of
from depthkit_worker.repair.repair import update_at
from depthkit_worker.repair.training.fills import train_fills
from depthkit_worker.repair.training.options import settled
from depthkit_worker.repair.training.report import OnPoint, training_notes
from depthkit_worker.session.job import Job

FAR, SMALL = 1.5, 0.01
"""How much worse a repair may be with first tokens than without before it is worth a note."""


def fill_gap(base: Base, gap: Gap, update: nn.Module) -> Fill:
    """`update` in the gap's place."""
    return Fill(gap.units, {gap.first: update_at(gap.slot(base.decoder.parallel), update)})


def update_of(base: Base, gap: Gap, fill: Fill) -> nn.Module:
    """What `fill_gap` was given, or what training made of it."""
    update = getattr(fill.edits[gap.first], gap.slot(base.decoder.parallel))
    assert isinstance(update, nn.Module)
    return update


def finish(
    base: Base,
    fitted: Sequence[tuple[Fill, GapRegression]],
    options: LowRankOptions | PatchOptions,
    on_point: OnPoint,
    job: Job,
) -> Fitted:
    """Closed forms with their errors, or what they are after training."""
    fills = tuple(fill for fill, _ in fitted)
    report = None
    if options.training is not None:
        training = settled(options.training, base.corpus.sequences)
        options = replace(options, training=training)
        fills, report = train_fills(base, fills, training, job, on_point)
    gaps = tuple(
        regression.gap_error(affine_of(update_of(base, regression.gap, fill)))
        for fill, (_, regression) in zip(fills, fitted, strict=True)
    )
    notes = () if report is None else training_notes(report)
    return Fitted(options, fills, gaps, report, (*first_token_notes(gaps), *notes))


def first_token_notes(gaps: Sequence[GapError]) -> tuple[str, ...]:
    """What to know where first tokens were left out of a fit and the fit is wrong for them: later tokens
    attend to them, so that they ruin the rest."""
    return tuple(
        f"{', '.join(gap.removed)}: with the skipped first tokens counted the repair's error is "
        f"{gap.repaired_error_all:.3g}, without them {gap.repaired_error:.3g}. They are far from what it was "
        "fitted to, and later tokens attend to them; fit it with skipTokens 0."
        for gap in gaps
        if gap.repaired_error_all > FAR * max(gap.repaired_error, SMALL)
    )
