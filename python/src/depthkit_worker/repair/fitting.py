"""Fitting a repair: what every method is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from depthkit_worker.contract.wire import GapError, RepairFitOptions, RepairMethod, TrainingReport
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.gaps import Gap
from depthkit_worker.repair.repair import BlockEdit
from depthkit_worker.subnetworks.hands import Hands
from depthkit_worker.subnetworks.subnetwork import Subnetwork


@dataclass(frozen=True)
class Base:
    """The subnetwork that is repaired, and on what."""

    subnetwork: Subnetwork
    """Its decoder is the dense model. Whoever changes it restores it bit for bit."""
    corpus: Corpus
    options: RepairFitOptions
    apart: tuple[Gap, ...] = ()
    """Fitted each as if it were the only one, in place of the subnetwork's own; they may overlap."""
    hands: Callable[[Subnetwork], Hands] | None = None
    """Who adds up closed forms' sums over the corpus, on a subnetwork of the decoder; None: its device."""

    @property
    def decoder(self) -> Decoder:
        return self.subnetwork.decoder


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
    options: RepairMethod
    """As they were given, with what they left open chosen."""
    fills: tuple[Fill, ...]
    """One per gap, from the bottom up, or one for the model as a whole."""
    gaps: tuple[GapError, ...] = ()
    training: TrainingReport | None = None
    notes: tuple[str, ...] = ()
