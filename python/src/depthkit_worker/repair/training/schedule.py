"""The learning rate over the steps."""

from __future__ import annotations

import math


def learning_rate_factor(taken: int, steps: int, warmup: int) -> float:
    """What the learning rate is multiplied by after `taken` steps: a line up over `warmup` steps, then a
    cosine that is 0 after the last one."""
    if taken < warmup:
        return (taken + 1) / (warmup + 1)
    done = min(1.0, (taken - warmup) / max(1, steps - warmup))
    return 0.5 * (1 + math.cos(math.pi * done))
