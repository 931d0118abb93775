"""Numbers that can be told to somebody."""

from __future__ import annotations

import math
import sys

from depthkit_worker.contract.wire import FiniteOrInfinity
from depthkit_worker.errors import DepthkitError

LARGEST = math.log(sys.float_info.max)


def finite(value: float, what: str) -> float:
    """`value`, unless it is none."""
    if value != value or value in (float("inf"), float("-inf")):
        raise DepthkitError(
            "NOT_MEASURABLE",
            f"The {what} is {value}: the logits hold NaN or infinity. Look for broken weights, load the "
            "model in a wider dtype, or remove less.",
            value=str(value),
        )
    return value


def exponential(exponent: float) -> FiniteOrInfinity:
    """exp of a finite number, by its name where that overflows."""
    return math.exp(exponent) if exponent < LARGEST else "Infinity"
