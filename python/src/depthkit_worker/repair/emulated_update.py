"""Emulated updates, arXiv 2407.16286: what a removed unit adds on average, added at every token.

In the dense model the means of a run of blocks add up to that of the run, so that one pass serves them all.
"""

from __future__ import annotations

from depthkit_worker.contract.wire import EmulatedUpdateOptions
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.repair.fitting import Base, Fill, Fitted
from depthkit_worker.repair.gap_filling import fill_gap, update_of
from depthkit_worker.repair.gap_streams import each, fit_gaps
from depthkit_worker.repair.gaps import Gap, require_gaps
from depthkit_worker.repair.least_squares import GapRegression, affine_of
from depthkit_worker.session.job import Job


def fit_emulated_update(options: EmulatedUpdateOptions, base: Base, job: Job) -> Fitted:
    def fill(gap: Gap, regression: GapRegression) -> Fill:
        return fill_gap(base, gap, Constant(regression.cast(options.scale * regression.mean())))

    gaps = base.apart or require_gaps(base.subnetwork, "emulated-update")
    fitted = fit_gaps(base, gaps, options.reference, each(GapRegression), fill, job)
    return Fitted(
        options,
        fills=tuple(made for made, _ in fitted),
        gaps=tuple(
            regression.gap_error(affine_of(update_of(base, regression.gap, made)))
            for made, regression in fitted
        ),
    )
