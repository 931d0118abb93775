"""Whether a graph of few bits is the graph of 32-bit numbers with its weights rounded, and nothing else.

How far its answers are from the model's is the rounding's doing and says nothing of faults. So its weights
are read back and looked at, and its answers compared with those of the wide graph with these very weights.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from depthkit_worker.contract.wire import ExportReference
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.onnx.narrow import save_graph
from depthkit_worker.export.onnx.runtime import Graph

ONE_STEP = 1.001
"""By how many scales a weight may be off: half a one, or a whole one at the end of a symmetric range."""

Array = NDArray[Any]


@dataclass(frozen=True)
class _Rounded:
    output: str
    """Of the product that it is a weight of."""
    weight: Array
    """(inputs, outputs), fp32."""
    scales: Array
    """Of each of its numbers."""


def rounding_difference(wide: Path, narrow: Path, reference: ExportReference) -> float:
    """The largest difference of log-probabilities between the graph `narrow` and the graph `wide` with the
    weights that `narrow` holds, over all tokens behind every place of the prompts."""
    model = onnx.load(str(wide))
    _put_into(model, list(_rounded(onnx.load(str(narrow)))), narrow)
    with tempfile.TemporaryDirectory(dir=wide.parents[2]) as folder:
        rounded = Path(folder) / "model.onnx"
        save_graph(model, rounded)
        del model
        one, other = Graph(rounded), Graph(narrow)
        return max(
            float(np.abs(one.read(prompt.ids)[0] - other.read(prompt.ids)[0]).max())
            for prompt in reference.prompts
        )


def _put_into(model: Any, found: list[_Rounded], narrow: Path) -> None:
    """Put the weights into the graph, in the places of those that they were rounded from."""
    stored = {one.name: one for one in model.graph.initializer}
    weight_of = {node.output[0]: node.input[1] for node in model.graph.node if node.op_type == "MatMul"}
    if not found:
        raise _fault(narrow, "no weight of it is rounded")
    for one in found:
        initializer = stored[weight_of[one.output]]
        off = np.abs(numpy_helper.to_array(initializer) - one.weight)
        if not bool((off <= ONE_STEP * np.abs(one.scales)).all()):
            raise _fault(narrow, f"weights of {one.output} are further off than by their rounding")
        initializer.CopyFrom(numpy_helper.from_array(one.weight, initializer.name))


def _rounded(model: Any) -> Iterator[_Rounded]:
    stored = {one.name: one for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "MatMulNBits":
            continue
        given = {one.name: one.i for one in node.attribute}
        outputs, inputs, bits, block = given["N"], given["K"], given["bits"], given["block_size"]
        packed = numpy_helper.to_array(stored[node.input[1]]).reshape(outputs, -1)
        scales = numpy_helper.to_array(stored[node.input[2]]).reshape(outputs, -1)
        # Symmetric: what stands for zero is the middle of the range.
        levels = _unpacked(packed, bits).astype(np.float32) - (1 << (bits - 1))
        spread = np.repeat(scales, block, axis=1)
        yield _Rounded(node.output[0], (levels * spread)[:, :inputs].T.copy(), spread[:, :inputs].T)


def _unpacked(packed: Array, bits: int) -> Array:
    """The numbers in bytes; of two in one, the low half first."""
    if bits == 8:
        return packed
    return np.stack([packed & 0xF, packed >> 4], axis=-1).reshape(len(packed), -1)


def _fault(path: Path, what: str) -> DepthkitError:
    return DepthkitError(
        "EXPORT_DIFFERS",
        f"Checking {path.name}: {what}. Nothing was written. Leave this dtype out, and report it.",
        path=str(path),
    )
