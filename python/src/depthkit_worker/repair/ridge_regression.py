"""Ridge regression of d on z from sums over tokens, whole or of a reduced rank, and the ridge that held-out
tokens choose. All in fp64."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from depthkit_worker.repair.host_sums import HostSums

GRID = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 10.0)
"""The ridges that are tried."""


@dataclass(frozen=True)
class Affine:
    """The update z M + b. Rows are tokens, as in the weights of `stream_updates.py`."""

    matrix: Tensor | None
    """M: fp64 (hidden, hidden); None: zero."""
    bias: Tensor
    """b: fp64 (hidden,)"""


class Sums:
    """Sums over tokens of z and of the update d = x_out - x_in. `host`: what adds up products elsewhere
    than where they are computed. `beside`: sums over the same tokens with the same z, which have zz."""

    def __init__(self, host: HostSums | None = None, beside: Sums | None = None) -> None:
        self._host = host
        self._beside = beside
        self._spread: tuple[bool, Tensor, Tensor] | None = None
        self._uses = 1
        """Fits that are yet to come by these products of z."""
        if beside is not None:
            beside._uses += 1
        self.count = 0
        self.d = torch.zeros((), dtype=torch.float64)
        """(hidden,), as soon as there is a token."""
        self.dd = torch.zeros((), dtype=torch.float64)
        """The squares of d, summed over hidden as well."""
        self.z: Tensor | None = None
        self._zz: Tensor | None = None
        self.zd: Tensor | None = None

    @property
    def zz(self) -> Tensor | None:
        return self._zz if self._beside is None else self._beside._zz

    def add(self, d: Tensor, z: Tensor | None) -> None:
        """d and z: fp64 (tokens, hidden)."""
        self.count += len(d)
        self.d = self.d.to(d.device) + d.sum(0)
        self.dd = self.dd.to(d.device) + d.square().sum()
        if z is None:
            return
        self.z = z.sum(0) if self.z is None else self.z + z.sum(0)
        if self._beside is None:
            self._zz = self._added(self._zz, z, z)
        self.zd = self._added(self.zd, z, d)

    def _added(self, total: Tensor | None, z: Tensor, other: Tensor) -> Tensor:
        """`total` + z' other, in place."""
        if total is None:
            return z.T @ other if self._host is None else self._host.begin(z.T @ other)
        if self._host is None:
            return total.addmm_(z.T, other)
        self._host.add(total, z.T @ other)
        return total

    def join(self, other: Sums) -> None:
        """Add those over other tokens, in place."""
        self.count += other.count
        self.d, self.dd = self.d + other.d, self.dd + other.dd
        self.z = _joined(self.z, other.z)
        self.zd = _joined(self.zd, other.zd)
        if self._beside is None:
            self._zz = _joined(self._zz, other._zz)

    def move(self, device: torch.device) -> None:
        """All but the products, which go there when they are asked for."""
        self.d, self.dd = self.d.to(device), self.dd.to(device)
        self.z = None if self.z is None else self.z.to(device)

    def __getstate__(self) -> dict[str, object]:
        """What travels: numbers in main memory."""
        return {
            name: value.cpu() if isinstance(value, Tensor) else value
            for name, value in self.__dict__.items()
            if name != "_host"
        } | {"_host": None}

    def products(self) -> tuple[Tensor, Tensor]:
        """zz and zd, where z is."""
        assert self.z is not None and self.zz is not None and self.zd is not None
        return self.zz.to(self.z.device), self.zd.to(self.z.device)

    def minus(self, part: Sums) -> Sums:
        """Over the tokens that are not in `part`, which is a part of these."""
        rest = Sums()
        rest.count = self.count - part.count
        rest.d, rest.dd = self.d - part.d, self.dd - part.dd
        if self.z is not None and self.zz is not None and self.zd is not None:
            assert part.z is not None and part.zz is not None and part.zd is not None
            rest.z, rest._zz, rest.zd = self.z - part.z, self.zz - part.zz, self.zd - part.zd
        return rest

    def spread(self, constant: bool, zz: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
        """Eigenvalues and eigenvectors of zz about `mean`, that of z where there is a constant: found once
        for all sums that have the same z, and kept no longer than they need it. `zz`: of `products`."""
        owner = self if self._beside is None else self._beside
        owner._uses -= 1
        if owner._spread is None or owner._spread[0] is not constant:
            assert self.z is not None
            spread = zz - torch.outer(mean, self.z)
            owner._spread = (constant, *torch.linalg.eigh((spread + spread.T) / 2))
        _, values, vectors = owner._spread
        if owner._uses <= 0:
            owner._spread = None
        return values, vectors

    def error(self, update: Affine) -> float:
        """The squared error of d by its fit, summed over tokens and hidden."""
        if self.count == 0:
            return 0.0
        b = update.bias.to(self.d.device)
        total = self.dd - 2 * (b @ self.d) + self.count * (b @ b)
        if update.matrix is not None:
            assert self.z is not None
            zz, zd = self.products()
            M = update.matrix.to(self.d.device)
            total = total - 2 * (M * zd).sum() + (M * (zz @ M)).sum() + 2 * (self.z @ M @ b)
        # A perfect fit leaves rounding, of either sign.
        return max(float(total), 0.0)


def _joined(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    """Their sum; of none and a sum that one."""
    if one is None or other is None:
        return other if one is None else one
    return one.add_(other)


class Solver:
    """The fits to `sums` that lower the squared error most, with `ridge` times the mean square of z times the
    square of M added to it a token. Without a ridge, where many M do equally well, the least.

    `constant`: whether there is a b, which no ridge pulls at; else the update is z M alone.
    """

    def __init__(self, sums: Sums, constant: bool = True) -> None:
        assert sums.z is not None
        self._sums, self._constant = sums, constant
        zz, zd = sums.products()
        mean = sums.z / sums.count if constant else torch.zeros_like(sums.z)
        self._cross = zd - torch.outer(mean, sums.d)
        values, self._vectors = sums.spread(constant, zz, mean)
        self._values = values.clamp(min=0)
        self._unit = zz.diagonal().mean()

    def whole(self, ridge: float) -> Affine:
        return self._with_bias(self._solve(ridge))

    def reduced_rank(self, ridge: float, rank: int) -> tuple[Tensor, Tensor, Tensor]:
        """The same among the M of a rank, as V (hidden, rank), U (rank, hidden) and b.

        Reduced-rank regression: the full solution B, its fitted values projected on their first right
        singular directions W, which is M = B W W'; the ridge counts as more rows to fit.
        """
        matrix = self._solve(ridge)
        fitted = matrix.T @ self._cross
        directions = torch.linalg.eigh((fitted + fitted.T) / 2).eigenvectors.flip(1)[:, :rank]
        down = matrix @ directions
        # Both factors alike in size, which is where training starts well.
        size = down.norm(dim=0).sqrt()
        size = torch.where(size > 0, size, 1.0)
        down, up = down / size, directions.T * size[:, None]
        return down, up, self._with_bias(down @ up).bias

    def fit(self, ridge: float, rank: int | None) -> Affine:
        """Of the rank; None: the whole."""
        if rank is None or rank >= len(self._values):
            return self.whole(ridge)
        down, up, bias = self.reduced_rank(ridge, rank)
        return Affine(down @ up, bias)

    def _solve(self, ridge: float) -> Tensor:
        """B: (hidden, hidden)"""
        values = self._values
        if ridge > 0:
            inverse = 1 / (values + ridge * self._unit)
        else:
            least = values[-1] * len(values) * torch.finfo(values.dtype).eps
            inverse = torch.where(values > least, 1 / values, 0.0)
        solved: Tensor = self._vectors @ (inverse[:, None] * (self._vectors.T @ self._cross))
        return solved

    def _with_bias(self, matrix: Tensor) -> Affine:
        sums = self._sums
        assert sums.z is not None
        if not self._constant:
            return Affine(matrix, torch.zeros_like(sums.d))
        return Affine(matrix, (sums.d - sums.z @ matrix) / sums.count)


@dataclass(frozen=True)
class RidgeChoice:
    ridge: float
    error: float
    """Squared error of the held-out tokens by the square of their d."""


def choose_ridge(sums: Sums, held_out: Sums, constant: bool, rank: int | None) -> RidgeChoice:
    """Of `GRID`, the ridge whose fit to the tokens that are not held out serves those that are best; the
    larger one of two alike."""
    solver = Solver(sums.minus(held_out), constant)
    errors = {ridge: held_out.error(solver.fit(ridge, rank)) for ridge in reversed(GRID)}
    best = min(errors, key=errors.__getitem__)
    square = float(held_out.dd)
    return RidgeChoice(best, errors[best] / square if square else errors[best])
