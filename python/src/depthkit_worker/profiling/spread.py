"""A repeated measurement as its median and how far it spreads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    median: float
    lower_quartile: float
    upper_quartile: float
    min: float
    max: float
    samples: tuple[float, ...]
    """In the order they were taken."""


def spread_of(samples: Sequence[float]) -> Spread:
    lower, median, upper = np.percentile(samples, [25, 50, 75]).tolist()
    return Spread(median, lower, upper, min(samples), max(samples), tuple(samples))
