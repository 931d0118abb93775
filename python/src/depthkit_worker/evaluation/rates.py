"""Shares of items that come out right."""

from __future__ import annotations

import math


def standard_error(share: float, items: int) -> float | None:
    """Of a share, over items: sqrt(p (1 - p) / (n - 1)); None with one item."""
    return math.sqrt(share * (1 - share) / (items - 1)) if items > 1 else None
