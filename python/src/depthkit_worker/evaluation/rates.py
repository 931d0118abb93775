"""Averages over items, and how sure they are."""

from __future__ import annotations

import math
from collections.abc import Sequence


def standard_error(share: float, items: int) -> float | None:
    """Of a share, over items: sqrt(p (1 - p) / (n - 1)); None with one item."""
    return math.sqrt(share * (1 - share) / (items - 1)) if items > 1 else None


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def standard_error_of_mean(values: Sequence[float]) -> float | None:
    """Of the mean of `values`, over them: s / sqrt(n); None with one."""
    if len(values) < 2:
        return None
    middle = mean(values)
    squares = math.fsum((value - middle) ** 2 for value in values)
    return math.sqrt(squares / (len(values) - 1) / len(values))
