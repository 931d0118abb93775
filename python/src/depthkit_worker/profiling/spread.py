"""A repeated measurement as its median and how far it spreads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from depthkit_worker.contract.wire import Spread


def spread_of(samples: Sequence[float]) -> Spread:
    lower, median, upper = np.percentile(samples, [25, 50, 75]).tolist()
    return Spread(
        median=median,
        lower_quartile=lower,
        upper_quartile=upper,
        min=min(samples),
        max=max(samples),
        samples=tuple(samples),
    )
