"""The sums of a gap, as its stream goes by, and the fits and errors that follow from them. All in fp64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Self

import torch
from torch import Tensor, nn

from depthkit_worker.contract.wire import GapError, UnitKind
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.devices import in_fp64
from depthkit_worker.models.stream_updates import Constant, Linear, LowRank
from depthkit_worker.repair.gap_streams import Tokens
from depthkit_worker.repair.gaps import Gap
from depthkit_worker.repair.host_sums import HostSums
from depthkit_worker.repair.ridge_regression import Affine, RidgeChoice, Solver, Sums, choose_ridge

Read = Callable[[Tensor], Tensor]
"""From the stream in front of a gap to z, what an update is linear in; (batch, sequence, hidden) both."""
HELD_OUT = 4
"""One sequence of so many is held out where the ridge is to be chosen."""


class GapRegression:
    """The sums of one gap, first tokens apart, and the fits to them. Without `read`, sums of the update
    alone. `choosing`: whether held-out tokens are to choose the ridge, every `HELD_OUT`-th sequence's. `host`
    as `Sums` has it. `beside`: of a gap that begins at the same place, whose products of z serve both."""

    def __init__(
        self,
        gap: Gap,
        read: Read | None = None,
        choosing: bool = False,
        host: HostSums | None = None,
        beside: GapRegression | None = None,
    ) -> None:
        self.gap = gap
        self.rest: Sums = Sums(host, None if beside is None else beside.rest)
        self.first: Sums = Sums(host, None if beside is None else beside.first)
        self.device = torch.device("cpu")
        self.dtype = torch.float32
        """Of the stream at the gap."""
        self.choice: RidgeChoice | None = None
        self._read = read
        self._held_out: Sums | None = (
            Sums(host, None if beside is None else beside._held_out) if choosing else None
        )
        """Of the tokens in `rest`."""
        self._sequences = 0

    def add(self, x_in: Tensor, x_out: Tensor, tokens: Tokens) -> None:
        self.device, self.dtype = x_in.device, x_in.dtype
        z = None if self._read is None else self._read(x_in)
        parts = [(self.rest, tokens.rest), (self.first, tokens.first)]
        if self._held_out is not None:
            parts.append((self._held_out, tokens.rest & (tokens.numbers % HELD_OUT == 1)[:, None]))
        self._sequences += len(x_in)
        for sums, chosen in parts:
            if bool(chosen.any()):
                d = wide(x_out, chosen) - wide(x_in, chosen)
                sums.add(d, None if z is None else wide(z, chosen))

    def join(self, other: Self) -> None:
        self.rest.join(other.rest)
        self.first.join(other.first)
        if self._held_out is not None and other._held_out is not None:
            self._held_out.join(other._held_out)
        self._sequences += other._sequences

    def move(self, device: torch.device) -> None:
        self.device = device
        for sums in (self.rest, self.first, self._held_out):
            if sums is not None:
                sums.move(device)

    def __getstate__(self) -> dict[str, object]:
        """What was gathered; what gathers stays."""
        return {**self.__dict__, "_read": None, "device": torch.device("cpu")}

    def mean(self) -> Tensor:
        """Of the update, first tokens left out: fp64 (hidden,)."""
        self._check()
        return self.rest.d / self.rest.count

    def solver(self, constant: bool = True) -> Solver:
        self._check()
        return Solver(self.rest, constant)

    def settled_ridge(
        self, ridge: float | Literal["auto"], constant: bool = True, rank: int | None = None
    ) -> float:
        """`ridge`, or the one that the held-out tokens choose for a fit of that rank."""
        if ridge != "auto":
            return ridge
        self._check()
        assert self._held_out is not None
        if self._held_out.count in (0, self.rest.count):
            raise DepthkitError(
                "NOT_ENOUGH_TEXT",
                f"Choosing the ridge for {self._names}: one of {HELD_OUT} sequences is held out, from the "
                f"second on, and the corpus has {self._sequences} to fit to. Load 2 or more, or give the "
                f"ridge a number.",
                sequences=self._sequences,
            )
        self.choice = choose_ridge(self.rest, self._held_out, constant, rank)
        return self.choice.ridge

    @property
    def _names(self) -> str:
        return ", ".join(str(unit) for unit in self.gap.units)

    def gap_error(self, update: Affine) -> GapError:
        rest, first = self.rest, self.first
        squares, errors = (float(rest.dd), float(first.dd)), (rest.error(update), first.error(update))
        return gap_error(self.gap, squares, errors, choice=self.choice)

    def cast(self, value: Tensor) -> Tensor:
        """`value` as the stream at the gap is."""
        return value.to(self.device, self.dtype)

    def _check(self) -> None:
        check_finite(self.gap, self.rest.dd + (0 if self.rest.zz is None else self.rest.zz.diagonal().sum()))


def regressions_of(
    gaps: Sequence[Gap], read: Read, choosing: bool, host: HostSums | None
) -> dict[Gap, GapRegression]:
    """Of gaps that may begin at the same place."""
    found: dict[Gap, GapRegression] = {}
    fronts: dict[tuple[UnitKind, int], GapRegression] = {}
    for gap in gaps:
        front = (gap.kind, gap.first)
        found[gap] = GapRegression(gap, read, choosing, host, fronts.get(front))
        fronts.setdefault(front, found[gap])
    return found


def check_finite(gap: Gap, squares: Tensor) -> None:
    """Refuse to fit where sums over the stream at the gap are not finite."""
    if not bool(squares.isfinite()):
        names = ", ".join(str(unit) for unit in gap.units)
        raise DepthkitError(
            "NOT_MEASURABLE",
            f"Fitting a repair for {names}: the stream at the gap is not finite on this corpus. Look for NaN "
            "or infinity in the weights, or load the model in a wider dtype.",
            units=[str(unit) for unit in gap.units],
        )


def gap_error(
    gap: Gap,
    squares: tuple[float, float],
    errors: tuple[float, float],
    factor: float | None = None,
    choice: RidgeChoice | None = None,
) -> GapError:
    """From sums over the tokens fitted and over the first ones: the squares of d, and its squared errors."""
    # A unit that adds nothing leaves nothing to make up for.
    repaired, repaired_all = (
        error / square if square else error
        for error, square in ((errors[0], squares[0]), (sum(errors), sum(squares)))
    )
    return GapError(
        removed=tuple(map(str, gap.units)),
        removed_error=float(squares[0] > 0),
        repaired_error=repaired,
        removed_error_all=float(sum(squares) > 0),
        repaired_error_all=repaired_all,
        factor=factor,
        ridge=None if choice is None else choice.ridge,
        held_out_error=None if choice is None else choice.error,
        descent=None,
    )


def wide(x: Tensor, chosen: Tensor) -> Tensor:
    """The tokens chosen, fp64 (tokens, hidden)."""
    return in_fp64(x[chosen.to(x.device)])


def affine_of(update: nn.Module) -> Affine:
    """What an update does, in fp64; z is what the update itself reads."""
    match update:
        case Constant():
            return Affine(None, _double(update.vector))
        case LowRank():
            matrix = _double(update.down) @ _double(update.up)
            return Affine(matrix, _bias_of(update, matrix))
        case Linear():
            matrix = _double(update.matrix)
            return Affine(matrix, _bias_of(update, matrix))
    raise TypeError(f"{type(update).__name__} is not linear in what it reads")


def _double(value: Tensor) -> Tensor:
    return in_fp64(value.detach())


def _bias_of(update: LowRank | Linear, matrix: Tensor) -> Tensor:
    return matrix.new_zeros(matrix.shape[1]) if update.bias is None else _double(update.bias)
