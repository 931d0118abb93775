"""LinearPatch, arXiv 2505.24680: the stream behind a gap scaled to its old size, direction by direction.

x becomes x P with P = H diag(s) H'. H is a Hadamard matrix, which spreads the few huge channels of the
stream over all directions; s_k is the ratio of the mean absolute activation behind the gap to that in front.
"""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from depthkit_worker.contract.wire import PatchOptions
from depthkit_worker.models.stream_updates import Linear
from depthkit_worker.repair.fitting import Base, Fill, Fitted
from depthkit_worker.repair.gap_filling import fill_gap, finish
from depthkit_worker.repair.gap_streams import Tokens, each, fit_gaps
from depthkit_worker.repair.gaps import Gap, require_gaps
from depthkit_worker.repair.hadamard import hadamard
from depthkit_worker.repair.host_sums import HostSums, host_sums, products_bytes
from depthkit_worker.repair.least_squares import GapRegression, wide
from depthkit_worker.repair.training.report import OnPoint
from depthkit_worker.session.job import Job


def fit_patch(options: PatchOptions, on_point: OnPoint, base: Base, job: Job) -> Fitted:
    gaps = base.apart or require_gaps(base.subnetwork, "patch")
    hidden = base.decoder.hidden_size
    H = hadamard(hidden) / hidden**0.5

    def fill(gap: Gap, sizes: _Sizes) -> Fill:
        sizes.regression.mean()  # refuses a stream that is not finite
        turned = H.to(sizes.behind.device)
        patch = turned @ (sizes.ratios()[:, None] * turned.T)
        identity = torch.eye(hidden, dtype=patch.dtype, device=patch.device)
        return fill_gap(base, gap, Linear(sizes.regression.cast(patch - identity)))

    host = host_sums(base, len(gaps))
    fitted = fit_gaps(
        base,
        gaps,
        "dense",
        each(lambda gap: _Sizes(gap, H, host)),
        fill,
        job,
        gap_bytes=products_bytes(base, 1),
    )
    return finish(base, [(made, sizes.regression) for made, sizes in fitted], options, on_point, job)


class _Sizes:
    """Summed absolute activations in front of a gap and behind it, in the turned basis: fp64 (hidden,)."""

    def __init__(self, gap: Gap, H: Tensor, host: HostSums | None) -> None:  # noqa: N803
        self.regression = GapRegression(gap, lambda x: x, host=host)
        self.front = torch.zeros(len(H), dtype=torch.float64)
        self.behind = torch.zeros(len(H), dtype=torch.float64)
        self._turn = H

    def add(self, x_in: Tensor, x_out: Tensor, tokens: Tokens) -> None:
        self.regression.add(x_in, x_out, tokens)
        front, behind = wide(x_in, tokens.rest), wide(x_out, tokens.rest)
        self._turn = self._turn.to(front.device)
        self.front = self.front.to(front.device) + (front @ self._turn).abs().sum(0)
        self.behind = self.behind.to(front.device) + (behind @ self._turn).abs().sum(0)

    def join(self, other: Self) -> None:
        self.regression.join(other.regression)
        self.front, self.behind = self.front + other.front, self.behind + other.behind

    def move(self, device: torch.device) -> None:
        self.regression.move(device)
        self.front, self.behind = self.front.to(device), self.behind.to(device)

    def __getstate__(self) -> dict[str, object]:
        return {"regression": self.regression, "front": self.front.cpu(), "behind": self.behind.cpu()}

    def ratios(self) -> Tensor:
        """s; 1 in a direction that is empty in front of the gap, where no factor changes anything."""
        return torch.where(self.front > 0, self.behind / self.front, 1.0)
