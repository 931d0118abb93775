"""Fitting a repair: what every method is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from depthkit_worker.data.corpus import Corpus
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.repair import BlockEdit
from depthkit_worker.repair.training.report import TrainingReport
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.subnetwork import Subnetwork

Reference = Literal["dense", "pruned"]


@dataclass(frozen=True)
class Base:
    """The subnetwork that is repaired, and on what."""

    subnetwork: Subnetwork
    """Its decoder is the dense model. Whoever changes it restores it bit for bit."""
    corpus: Corpus
    skip_tokens: int = 0
    """First tokens of each sequence that no statistic counts: their activations dwarf the rest."""
    batch_size: int | None = None

    @property
    def decoder(self) -> Decoder:
        return self.subnetwork.decoder


@dataclass(frozen=True)
class GapFit:
    """Squared error of the stream behind a gap, by the square of the removed update (fp64 sums)."""

    removed: tuple[Unit, ...]
    removed_error: float
    repaired_error: float
    removed_error_all: float
    """With the first tokens counted."""
    repaired_error_all: float


@dataclass(frozen=True)
class Fill:
    """What one repair does, before it has a digest."""

    removed: tuple[Unit, ...]
    """The units of the gap; for what heals the model as a whole, all that are removed."""
    edits: Mapping[int, BlockEdit]
    base: tuple[str, ...] = ()
    """Digests of the repairs it means nothing without, such as those that LoRA was trained on top of."""


@dataclass(frozen=True)
class Fitted:
    fills: tuple[Fill, ...]
    """One a gap, from the bottom up, or one for the model as a whole."""
    gaps: tuple[GapFit, ...] = ()
    training: TrainingReport | None = None
    notes: tuple[str, ...] = field(default=())


Fit = Callable[[Base, Job], Fitted]
"""A method with its settings bound. `repair/<method>.py` exports `fit_<method>(options, base, job)`, and
`fit_<method>(options, on_point, base, job)` where it can train."""
