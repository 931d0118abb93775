"""A graph in onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from depthkit_worker.export.answers import Cache, Scores, padded, scores_of

TYPES: Mapping[str, Any] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
ROUNDS = {"fp32": 2e-3, "fp16": 5e-2, "int8": 1e-2, "q4": 1e-2}
"""How far apart log-probabilities of one token and of many at once may be, by the graph's dtype."""

Kept = Mapping[str, NDArray[Any]]
"""Keys and values, by the names of the graph's inputs."""


class Graph:
    """A graph of a decoder with its cache."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = {one.name: one for one in self._session.get_inputs()}
        self._outputs = [one.name for one in self._session.get_outputs()]

    def read(self, ids: Sequence[int], before: Cache[Kept] | None = None) -> tuple[Scores, Cache[Kept]]:
        start = 0 if before is None else before.length
        end = start + len(ids)
        kept = self._empty(1) if before is None else before.kept
        logits, grown = self._run(
            np.array([ids], dtype=np.int64),
            np.ones((1, end), dtype=np.int64),
            np.arange(start, end, dtype=np.int64)[None],
            kept,
        )
        nbytes = sum(one.nbytes for one in grown.values())
        return scores_of(logits[0]), Cache(end, nbytes // end, grown)

    def read_padded(self, rows: Sequence[Sequence[int]]) -> list[Scores]:
        logits, _ = self._run(*padded(rows), self._empty(len(rows)))
        return [scores_of(found[-len(row) :]) for found, row in zip(logits, rows, strict=True)]

    def _run(
        self, ids: NDArray[Any], mask: NDArray[Any], positions: NDArray[Any], kept: Kept
    ) -> tuple[NDArray[Any], Kept]:
        whole = {"input_ids": ids, "attention_mask": mask, "position_ids": positions, **kept}
        feeds = {name: value for name, value in whole.items() if name in self._inputs}
        found = dict(zip(self._outputs, self._session.run(None, feeds), strict=True))
        logits = found.pop("logits")
        return logits, {name.replace("present", "past_key_values"): value for name, value in found.items()}

    def _empty(self, rows: int) -> Kept:
        return {
            name: np.zeros([_size(dimension, rows) for dimension in one.shape], dtype=TYPES[one.type])
            for name, one in self._inputs.items()
            if name.startswith("past_key_values.")
        }


def _size(dimension: int | str, rows: int) -> int:
    """Of an empty cache."""
    if isinstance(dimension, int):
        return dimension
    return rows if dimension == "batch_size" else 0
