"""Numbers that can be told to somebody."""

from __future__ import annotations

from depthkit_worker.errors import DepthkitError


def finite(value: float, what: str) -> float:
    """`value`, unless it is none."""
    if value != value or value in (float("inf"), float("-inf")):
        raise DepthkitError(
            "NOT_MEASURABLE",
            f"The {what} is {value}. The logits hold NaN or infinity, or are too far from the text for a "
            "number to say so. Look for broken weights, load the model in a wider dtype, or remove less.",
            value=str(value),
        )
    return value
