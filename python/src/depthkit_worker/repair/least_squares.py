"""Sums that least squares at a gap needs, and the fits and errors that follow from them. All in fp64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from depthkit_worker.contract.wire import GapError
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.devices import in_fp64
from depthkit_worker.repair.gap_streams import Tokens
from depthkit_worker.repair.gaps import Gap
from depthkit_worker.repair.stream_updates import Constant, Linear, LowRank

Read = Callable[[Tensor], Tensor]
"""From the stream in front of a gap to z, what an update is linear in; (batch, sequence, hidden) both."""


@dataclass(frozen=True)
class Affine:
    """The update z M + b. Rows are tokens, as in the weights of `stream_updates.py`."""

    matrix: Tensor | None
    """M: fp64 (hidden, hidden); None: zero."""
    bias: Tensor
    """b: fp64 (hidden,)"""


class Sums:
    """Sums over tokens of z and of the update d = x_out - x_in."""

    def __init__(self) -> None:
        self.count = 0
        self.d = torch.zeros((), dtype=torch.float64)
        """(hidden,), as soon as there is a token."""
        self.dd = torch.zeros((), dtype=torch.float64)
        """The squares of d, summed over hidden as well."""
        self.z: Tensor | None = None
        self.zz: Tensor | None = None
        self.zd: Tensor | None = None

    def add(self, d: Tensor, z: Tensor | None) -> None:
        """d and z: fp64 (tokens, hidden)."""
        self.count += len(d)
        self.d = self.d.to(d.device) + d.sum(0)
        self.dd = self.dd.to(d.device) + d.square().sum()
        if z is None:
            return
        if self.z is None or self.zz is None or self.zd is None:
            self.z, self.zz, self.zd = z.sum(0), z.T @ z, z.T @ d
            return
        self.z += z.sum(0)
        self.zz.addmm_(z.T, z)
        self.zd.addmm_(z.T, d)

    def error(self, update: Affine) -> float:
        """The squared error of d by its fit, summed over tokens and hidden."""
        if self.count == 0:
            return 0.0
        b = update.bias.to(self.d.device)
        total = self.dd - 2 * (b @ self.d) + self.count * (b @ b)
        if update.matrix is not None:
            assert self.z is not None and self.zz is not None and self.zd is not None
            M = update.matrix.to(self.d.device)
            total = total - 2 * (M * self.zd).sum() + (M * (self.zz @ M)).sum() + 2 * (self.z @ M @ b)
        # A perfect fit leaves rounding, of either sign.
        return max(float(total), 0.0)


class GapRegression:
    """The sums of one gap, first tokens apart, and the fits to them. Without `read`, sums of the update
    alone."""

    def __init__(self, gap: Gap, read: Read | None = None) -> None:
        self.gap = gap
        self.rest, self.first = Sums(), Sums()
        self.device = torch.device("cpu")
        self.dtype = torch.float32
        """Of the stream at the gap."""
        self._read = read

    def add(self, x_in: Tensor, x_out: Tensor, tokens: Tokens) -> None:
        self.device, self.dtype = x_in.device, x_in.dtype
        z = None if self._read is None else self._read(x_in)
        for sums, chosen in ((self.rest, tokens.rest), (self.first, tokens.first)):
            if bool(chosen.any()):
                d = wide(x_out, chosen) - wide(x_in, chosen)
                sums.add(d, None if z is None else wide(z, chosen))

    def mean(self) -> Tensor:
        """Of the update, first tokens left out: fp64 (hidden,)."""
        self._check()
        return self.rest.d / self.rest.count

    def ridge(self, ridge: float) -> Affine:
        """The M and b that lower the error most, with `ridge` times the mean square of z times the square
        of M added to it a token; b is free. Without a ridge, where many M do equally well, the least."""
        solved = self._solve(ridge)
        return self._with_bias(solved.matrix)

    def reduced_rank(self, ridge: float, rank: int) -> tuple[Tensor, Tensor, Tensor]:
        """The same among the M of a rank, as V (hidden, rank), U (rank, hidden) and b.

        Reduced-rank regression: the full solution B, its fitted values projected on their first right
        singular directions W, which is M = B W W'; the ridge counts as more rows to fit.
        """
        solved = self._solve(ridge)
        fitted = solved.matrix.T @ solved.cross
        directions = torch.linalg.eigh((fitted + fitted.T) / 2).eigenvectors.flip(1)[:, :rank]
        down = solved.matrix @ directions
        # Both factors alike in size, which is where training starts well.
        size = down.norm(dim=0).sqrt()
        size = torch.where(size > 0, size, 1.0)
        down, up = down / size, directions.T * size[:, None]
        return down, up, self._with_bias(down @ up).bias

    def gap_error(self, update: Affine) -> GapError:
        error = self.rest.error(update)
        errors = [error, error + self.first.error(update)]
        squares = [float(self.rest.dd), float(self.rest.dd) + float(self.first.dd)]
        # A unit that adds nothing leaves nothing to make up for.
        repaired, repaired_all = (
            error / square if square else error for error, square in zip(errors, squares, strict=True)
        )
        return GapError(
            removed=tuple(map(str, self.gap.units)),
            removed_error=float(squares[0] > 0),
            repaired_error=repaired,
            removed_error_all=float(squares[1] > 0),
            repaired_error_all=repaired_all,
        )

    def cast(self, value: Tensor) -> Tensor:
        """`value` as the stream at the gap is."""
        return value.to(self.device, self.dtype)

    def _solve(self, ridge: float) -> _Solved:
        self._check()
        sums = self.rest
        assert sums.z is not None and sums.zz is not None and sums.zd is not None
        mean = sums.z / sums.count
        spread = sums.zz - torch.outer(mean, sums.z)
        cross = sums.zd - torch.outer(mean, sums.d)
        values, vectors = torch.linalg.eigh((spread + spread.T) / 2)
        values = values.clamp(min=0)
        if ridge > 0:
            inverse = 1 / (values + ridge * sums.zz.diagonal().mean())
        else:
            least = values[-1] * len(values) * torch.finfo(values.dtype).eps
            inverse = torch.where(values > least, 1 / values, 0.0)
        return _Solved(vectors @ (inverse[:, None] * (vectors.T @ cross)), cross)

    def _with_bias(self, matrix: Tensor) -> Affine:
        sums = self.rest
        assert sums.z is not None
        return Affine(matrix, (sums.d - sums.z @ matrix) / sums.count)

    def _check(self) -> None:
        squares = self.rest.dd + (0 if self.rest.zz is None else self.rest.zz.diagonal().sum())
        if not bool(squares.isfinite()):
            names = ", ".join(str(unit) for unit in self.gap.units)
            raise DepthkitError(
                "NOT_MEASURABLE",
                f"Fitting a repair for {names}: the stream at the gap is not finite on this corpus. Look for NaN or "
                "infinity in the weights, or load the model in a wider dtype.",
                units=[str(unit) for unit in self.gap.units],
            )


@dataclass(frozen=True)
class _Solved:
    matrix: Tensor
    """B: (hidden, hidden)"""
    cross: Tensor
    """Z'D, both centred: (hidden, hidden)"""


def wide(x: Tensor, chosen: Tensor) -> Tensor:
    """The tokens chosen, fp64 (tokens, hidden)."""
    return in_fp64(x[chosen.to(x.device)])


def affine_of(update: nn.Module) -> Affine:
    """What an update does, in fp64; z is what the update itself reads."""
    match update:
        case Constant():
            return Affine(None, _double(update.vector))
        case LowRank():
            return Affine(_double(update.down) @ _double(update.up), _double(update.bias))
        case Linear():
            matrix = _double(update.matrix)
            bias = matrix.new_zeros(matrix.shape[1]) if update.bias is None else _double(update.bias)
            return Affine(matrix, bias)
    raise TypeError(f"{type(update).__name__} is not linear in what it reads")


def _double(value: Tensor) -> Tensor:
    return in_fp64(value.detach())
