"""A graph of 32-bit numbers in others, by onnxruntime's own tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from onnxruntime.transformers.float16 import convert_float_to_float16

from depthkit_worker.export.onnx.files import BITS

ONE_FILE = 1_900_000_000
"""Bytes of weights that stay in the graph's own file: its format holds no more than two gigabytes."""

BLOCK = 32
"""Weights that share a scale, as transformers.js's own conversions have it."""


def narrow(graph: Path, target: Path, dtype: str) -> bool:
    """Write `graph` to `target` as `dtype`; whether its weights lie beside it, in a file named after it."""
    match dtype:
        case "fp32":
            model = onnx.load(str(graph))
        case "fp16":
            # The cache in fp16 too; logits as they were, since what samples from them reads fp32.
            model = convert_float_to_float16(
                onnx.load(str(graph)), keep_io_types=["logits"], disable_shape_infer=True
            )
        case "int8" | "q4":
            # Weights alone. Activations quantised as they come cost the bundled model most of its answers.
            quantizer = MatMulNBitsQuantizer(
                onnx.load(str(graph)), bits=BITS[dtype], block_size=BLOCK, is_symmetric=True
            )
            quantizer.process()
            model = quantizer.model.model
        case _:
            raise ValueError(f"no such dtype: {dtype}")
    return save_graph(model, target)


def save_graph(model: Any, target: Path) -> bool:
    """Write `model`; whether its weights lie beside it."""
    beside = _weights(model) > ONE_FILE
    onnx.save(
        model,
        str(target),
        save_as_external_data=beside,
        all_tensors_to_one_file=True,
        location=f"{target.name}_data" if beside else None,
    )
    return beside


def _weights(model: Any) -> int:
    return sum(one.ByteSize() for one in model.graph.initializer)
