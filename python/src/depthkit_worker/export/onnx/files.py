"""What lies where in an ONNX export: the places in which transformers.js looks."""

from __future__ import annotations

from collections.abc import Mapping

GRAPHS = "onnx"
"""The folder of the graphs."""

OWN_FORM = "layout"
"""A field of the configurations of depthkit's own form, and of no other."""

SUFFIXES: Mapping[str, str] = {"fp32": "", "fp16": "_fp16", "int8": "_int8", "q4": "_q4"}
"""Of a graph's file by what its numbers are, by transformers.js's names; the widest first."""

BITS: Mapping[str, int] = {"int8": 8, "q4": 4}
"""Of a rounded weight."""

FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
)
"""Of a checkpoint, as they are."""


def graph_name(dtype: str) -> str:
    return f"model{SUFFIXES[dtype]}.onnx"
