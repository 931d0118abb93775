"""What the worker and its actors tell each other, beside the orders of `orders.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from depthkit_worker.contract.wire import ModelOptions, Screening
from depthkit_worker.errors import DepthkitError
from depthkit_worker.subnetworks.splits import Pace


@dataclass(frozen=True)
class ModelOrder:
    """A model to be held, and what it must be."""

    key: str
    source: str
    options: ModelOptions
    """With the device an actor has."""
    digest: str
    screening: Screening | None


@dataclass(frozen=True)
class Loaded:
    pace: Pace
    host: str
    device: str


@dataclass(frozen=True)
class Failed:
    """A `DepthkitError`, as data."""

    code: str
    message: str
    details: dict[str, Any]

    @property
    def error(self) -> DepthkitError:
        return DepthkitError(self.code, self.message, **self.details)


@dataclass(frozen=True)
class Reported:
    """How far a piece is that takes its actor whole."""

    phase: str
    done: int
    total: int | None
    unit: str


@dataclass(frozen=True)
class Done:
    """A piece that is finished."""

    found: Any
    """What its order says."""
    seconds: float
