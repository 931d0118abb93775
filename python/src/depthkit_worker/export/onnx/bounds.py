"""How far a graph may be from the subnetwork in memory, by what its numbers are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from depthkit_worker.contract.wire import OnnxDtype, OnnxGraph
from depthkit_worker.errors import DepthkitError


@dataclass(frozen=True)
class Bound:
    """Of log-probabilities at every place of the reference's prompts."""

    largest: float
    """From those of the subnetwork in memory."""
    rounding: float = 0.0
    """From those of the widest graph with the same rounded weights."""


ANY = float("inf")
BOUNDS: Mapping[OnnxDtype, Bound] = {
    "fp32": Bound(2e-3),
    "fp16": Bound(0.2),
    # What so few bits cost a model is its own affair: that nothing else is changed is looked at.
    "int8": Bound(ANY, rounding=1e-2),
    "q4": Bound(ANY, rounding=1e-2),
}
MANY = 0.9
"""The share of likeliest tokens below which a user is warned."""


def check_answers(graph: OnnxGraph) -> None:
    """Refuse a graph that answers otherwise than its numbers explain."""
    bound = BOUNDS[graph.dtype]
    faults = []
    if not graph.largest_difference <= bound.largest:  # NaN too.
        faults.append(
            f"log-probabilities differ by up to {graph.largest_difference:.3g}, "
            f"and {bound.largest:.3g} is allowed"
        )
    if graph.rounding_difference is not None and not graph.rounding_difference <= bound.rounding:
        faults.append(
            f"log-probabilities differ by up to {graph.rounding_difference:.3g} from those of the fp32 graph "
            f"with the same rounded weights, and {bound.rounding:.3g} is allowed"
        )
    if graph.cached < 1:
        faults.append("text written with a cache is another than without")
    if faults:
        raise DepthkitError(
            "EXPORT_DIFFERS",
            f"The {graph.dtype} graph answers otherwise in onnxruntime than the subnetwork in memory: "
            f"{'; '.join(faults)}. Nothing was written. Leave {graph.dtype} out of dtypes, or export as "
            "huggingface; where it is fp32 that differs, please report it.",
            dtype=graph.dtype,
            largestDifference=repr(graph.largest_difference),
            roundingDifference=repr(graph.rounding_difference),
            cached=graph.cached,
        )


def warnings_of(graph: OnnxGraph) -> tuple[str, ...]:
    if graph.agreement >= MANY:
        return ()
    return (
        f"Of the likeliest next tokens {graph.agreement:.0%} are the same in the {graph.dtype} graph: so few "
        "bits cost this model much. Look at a wider dtype.",
    )
