"""Prune&Comp, arXiv 2507.18212: behind a gap the stream is multiplied by one factor, so that it has the size
it had in the whole model.

The blocks above read the stream through a norm, which takes the factor out again. So what changes is how much
their updates weigh beside what came from below: s x + u is s (x + u / s). The paper multiplies what writes to
the stream below the gap by s; exports here divide what writes to it above, which is the same network but for
the norms' epsilon, and the stream is larger there (`export/constants_and_factors.py`).
"""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor

from depthkit_worker.contract.wire import ScaleOptions, ScaleRatio
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import Scale
from depthkit_worker.repair.fitting import Base, Fill, Fitted
from depthkit_worker.repair.gap_filling import fill_gap, first_token_notes, update_of
from depthkit_worker.repair.gap_streams import Tokens, each, fit_gaps
from depthkit_worker.repair.gaps import Gap, require_gaps
from depthkit_worker.repair.least_squares import check_finite, gap_error, wide
from depthkit_worker.session.job import Job


def fit_scale(options: ScaleOptions, base: Base, job: Job) -> Fitted:
    gaps = require_gaps(base.subnetwork, "scale")
    _check_foldable(base.decoder)

    def fill(gap: Gap, sizes: _Sizes) -> Fill:
        return fill_gap(base, gap, Scale(sizes.factor(options.ratio)))

    fitted = fit_gaps(base, gaps, options.reference, each(_Sizes), fill, job)
    errors = []
    for made, sizes in fitted:
        update = update_of(base, sizes.gap, made)
        assert isinstance(update, Scale)
        squares = float(sizes.rest.dd), float(sizes.first.dd)
        left = sizes.rest.error(update.factor), sizes.first.error(update.factor)
        errors.append(gap_error(sizes.gap, squares, left, update.factor))
    return Fitted(options, tuple(made for made, _ in fitted), tuple(errors), notes=first_token_notes(errors))


class _Sums:
    """Sums over tokens of squares and products of x = x_in and d = x_out - x_in: fp64."""

    def __init__(self) -> None:
        self.xx = self.xd = self.dd = torch.zeros((), dtype=torch.float64)

    def add(self, x: Tensor, d: Tensor) -> None:
        """Both (tokens, hidden)."""
        self.xx = self.xx.to(x.device) + x.square().sum()
        self.xd = self.xd.to(x.device) + (x * d).sum()
        self.dd = self.dd.to(x.device) + d.square().sum()

    def join(self, other: _Sums) -> None:
        self.xx, self.xd, self.dd = self.xx + other.xx, self.xd + other.xd, self.dd + other.dd

    def move(self, device: torch.device) -> None:
        self.xx, self.xd, self.dd = self.xx.to(device), self.xd.to(device), self.dd.to(device)

    def __getstate__(self) -> dict[str, object]:
        return {name: value.cpu() for name, value in self.__dict__.items()}

    def error(self, factor: float) -> float:
        grown = factor - 1
        return max(float(self.dd - 2 * grown * self.xd + grown**2 * self.xx), 0.0)


class _Sizes:
    """How long the stream is in front of one gap and behind it."""

    def __init__(self, gap: Gap) -> None:
        self.gap = gap
        self.rest, self.first = _Sums(), _Sums()
        self._norms: list[Tensor] = []
        """(2, tokens): in front and behind. A median needs them all, 16 bytes per token."""

    def add(self, x_in: Tensor, x_out: Tensor, tokens: Tokens) -> None:
        for sums, chosen in ((self.rest, tokens.rest), (self.first, tokens.first)):
            if bool(chosen.any()):
                front, behind = wide(x_in, chosen), wide(x_out, chosen)
                sums.add(front, behind - front)
                if sums is self.rest:
                    self._norms.append(torch.stack([front.norm(dim=1), behind.norm(dim=1)]).cpu())

    def join(self, other: Self) -> None:
        self.rest.join(other.rest)
        self.first.join(other.first)
        self._norms += other._norms

    def move(self, device: torch.device) -> None:
        self.rest.move(device)
        self.first.move(device)

    def factor(self, ratio: ScaleRatio) -> float:
        """s, above 0 and finite. Tokens without a stream in front of the gap have no ratio."""
        sums = self.rest
        check_finite(self.gap, sums.xx + sums.xd.abs() + sums.dd)
        front, behind = torch.cat(self._norms, dim=1)
        match ratio:
            case "mean":
                factor = behind.sum() / front.sum()
            case "median":
                there = front > 0
                factor = _median(behind[there] / front[there])
            case "least-squares":
                factor = 1 + sums.xd / sums.xx
        value = float(factor)
        if not 0 < value < math.inf:
            names = ", ".join(str(unit) for unit in self.gap.units)
            raise DepthkitError(
                "NOT_MEASURABLE",
                f"Scaling the stream behind {names}: the factor by {ratio} is {value:.4g}, and only one "
                "above 0 keeps the stream's direction. Take another ratio, or another repair there.",
                units=[str(unit) for unit in self.gap.units],
                factor=repr(value),
            )
        return value


def _median(values: Tensor) -> Tensor:
    """NaN of no values. Not `quantile`, which refuses more than 2^24 of them."""
    ordered = values.sort().values
    count = len(ordered)
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2 if count else values.new_tensor(math.nan)


def _check_foldable(decoder: Decoder) -> None:
    """Refuse families that norm a sublayer's output: no weight of theirs takes the factor."""
    if decoder.family.norms_updates:
        model_type = decoder.family.model_type
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"scale folds its factor into what writes to the stream, and {model_type} norms what a sublayer "
            "gives before it is added. Use emulated-update or low-rank there.",
            modelType=model_type,
        )
