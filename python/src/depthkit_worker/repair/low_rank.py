"""A linear update of few directions in a gap: norm(x) V U + b, fitted by reduced-rank least squares.

At full rank, on the raw stream, without a ridge and without b it is Ghosted Layers (arXiv 2605.15491).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from depthkit_worker.contract.wire import LowRankOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import LowRank, root_mean_square_norm
from depthkit_worker.repair.fitting import Base, Fill, Fitted
from depthkit_worker.repair.gap_filling import fill_gap, finish
from depthkit_worker.repair.gap_streams import fit_gaps
from depthkit_worker.repair.gaps import Gap, require_gaps
from depthkit_worker.repair.host_sums import host_sums, products_bytes
from depthkit_worker.repair.least_squares import GapRegression, regressions_of
from depthkit_worker.repair.training.report import OnPoint
from depthkit_worker.session.job import Job

EPS = 1e-6
"""Of the norm, in models that have no root mean square norm to take it from."""


def fit_low_rank(options: LowRankOptions, on_point: OnPoint, base: Base, job: Job) -> Fitted:
    gaps = base.apart or require_gaps(base.subnetwork, "low-rank")
    hidden = base.decoder.hidden_size
    if options.rank > hidden:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Fitting a low-rank repair of rank {options.rank}: the stream is {hidden} wide. Give 1 to "
            f"{hidden}.",
            rank=options.rank,
            hidden=hidden,
        )
    eps = eps_of(base.decoder)

    def read(x: Tensor) -> Tensor:
        return root_mean_square_norm(x, eps) if options.input == "normed" else x

    def fill(gap: Gap, regression: GapRegression) -> Fill:
        ridge = regression.settled_ridge(options.ridge, options.constant, options.rank)
        solved = regression.solver(options.constant).reduced_rank(ridge, options.rank)
        down, up, bias = map(regression.cast, solved)
        return fill_gap(base, gap, LowRank(down, up, bias if options.constant else None, options.input, eps))

    choosing = options.ridge == "auto"
    host = host_sums(base, len(gaps), choosing)

    def watch(gaps: Sequence[Gap]) -> dict[Gap, GapRegression]:
        return regressions_of(gaps, read, choosing, host)

    gap_bytes = products_bytes(base, 1, choosing)
    fitted = fit_gaps(base, gaps, options.reference, watch, fill, job, gap_bytes=gap_bytes)
    return finish(base, fitted, options, on_point, job)


def eps_of(decoder: Decoder) -> float:
    """The model's own, so that its own kind of norm can take the adapter's norm over in an export."""
    return float(getattr(decoder.config, "rms_norm_eps", EPS))
