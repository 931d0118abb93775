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
    mean: float


BOUNDS: Mapping[OnnxDtype, Bound] = {
    "fp32": Bound(2e-3, 2e-3),
    "fp16": Bound(0.2, 5e-2),
    "int8": Bound(float("inf"), 0.5),
    # Four bits cost the bundled model, which is small, 1.1 nats. A graph that is wrong is off by more.
    "q4": Bound(float("inf"), 2.5),
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
    if not graph.mean_difference <= bound.mean:
        faults.append(
            f"log-probabilities differ by {graph.mean_difference:.3g} in the mean, "
            f"and {bound.mean:.3g} is allowed"
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
            meanDifference=repr(graph.mean_difference),
            cached=graph.cached,
        )


def warnings_of(graph: OnnxGraph) -> tuple[str, ...]:
    if graph.agreement >= MANY:
        return ()
    return (
        f"Of the likeliest next tokens {graph.agreement:.0%} are the same in the {graph.dtype} graph: so few "
        "bits cost this model much. Look at a wider dtype.",
    )
