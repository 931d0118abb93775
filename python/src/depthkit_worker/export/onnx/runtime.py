"""A graph in onnxruntime: logits with and without its cache, and what is measured of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from depthkit_worker.contract.wire import ExportReference
from depthkit_worker.errors import DepthkitError

TYPES: Mapping[str, Any] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
ROUNDS = {"fp32": 2e-3, "fp16": 5e-2, "int8": 1e-2, "q4": 1e-2}
"""Kernels for one token and for many add in another order: log-probabilities may be this far apart."""

Logits = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """What a graph answers, beside what it should."""

    largest_difference: float
    """Of log-probabilities, as the next."""
    mean_difference: float
    agreement: float
    written: float
    cached: float
    kv_bytes_per_token: int


@dataclass(frozen=True)
class Cache:
    """What a graph keeps of the tokens it has read, by the names of its inputs."""

    length: int
    tensors: Mapping[str, NDArray[Any]]


class Graph:
    """A graph of a decoder with its cache."""

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = {one.name: one for one in self._session.get_inputs()}
        self._outputs = [one.name for one in self._session.get_outputs()]

    def read(self, ids: Sequence[int], before: Cache | None = None) -> tuple[Logits, Cache]:
        """Log-probabilities behind each of `ids`, which follow `before`, (tokens, vocabulary); and the cache
        with them."""
        start = 0 if before is None else before.length
        whole = {
            "input_ids": np.array([ids], dtype=np.int64),
            "attention_mask": np.ones((1, start + len(ids)), dtype=np.int64),
            "position_ids": np.arange(start, start + len(ids), dtype=np.int64)[None],
        }
        kept = self._empty() if before is None else before.tensors
        feeds = {name: value for name, value in {**whole, **kept}.items() if name in self._inputs}
        found = dict(zip(self._outputs, self._session.run(None, feeds), strict=True))
        logits = found.pop("logits")[0].astype(np.float64)
        if not np.isfinite(logits).all():
            raise DepthkitError("NOT_MEASURABLE", "the graph answers with no numbers")
        grown = {name.replace("present", "past_key_values"): value for name, value in found.items()}
        return log_softmax(logits), Cache(start + len(ids), grown)

    def _empty(self) -> Mapping[str, NDArray[Any]]:
        return {
            name: np.zeros([_size(dimension) for dimension in one.shape], dtype=TYPES[one.type])
            for name, one in self._inputs.items()
            if name.startswith("past_key_values.")
        }


def measure(graph: Graph, dtype: str, reference: ExportReference, on_prompt: Callable[[], None]) -> Measured:
    """What `graph` answers to the prompts of `reference`."""
    differences: list[float] = []
    agreed, same, margins, kv_bytes = 0, 0, [], 0
    for prompt in reference.prompts:
        scores, cache = graph.read(prompt.ids)
        likeliest = np.array(prompt.likeliest)
        mine = scores[np.arange(len(likeliest)), likeliest]
        differences += np.abs(mine - np.array(prompt.log_probabilities)).tolist()
        agreed += int((scores.argmax(-1) == likeliest).sum())
        kv_bytes = sum(one.nbytes for one in cache.tensors.values()) // cache.length
        written = _written(graph, prompt.ids, len(prompt.written))
        same += _in_common(written, prompt.written)
        margins += _margins(graph, prompt.ids, written)
        on_prompt()
    # Kernels for one token and for many round otherwise, so that near ties may fall otherwise.
    tie = 2 * ROUNDS[dtype]
    return Measured(
        largest_difference=max(differences),
        mean_difference=sum(differences) / len(differences),
        agreement=agreed / len(differences),
        written=same / len(margins),
        cached=sum(margin <= tie for margin in margins) / len(margins),
        kv_bytes_per_token=kv_bytes,
    )


def _written(graph: Graph, ids: Sequence[int], count: int) -> list[int]:
    """What it writes token by token with its cache."""
    scores, cache = graph.read(ids)
    written = [int(scores[-1].argmax())]
    while len(written) < count:
        scores, cache = graph.read(written[-1:], cache)
        written.append(int(scores[-1].argmax()))
    return written


def _margins(graph: Graph, ids: Sequence[int], written: Sequence[int]) -> list[float]:
    """Of each token of `written`: how much likelier another is where all is read at once, without a cache."""
    scores, _ = graph.read([*ids, *written[:-1]])
    behind = scores[len(ids) - 1 :]
    return [float(row.max() - row[token]) for row, token in zip(behind, written, strict=True)]


def _in_common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    pairs = zip(one, other, strict=True)
    return next((at for at, (mine, theirs) in enumerate(pairs) if mine != theirs), len(one))


def _size(dimension: int | str) -> int:
    """Of an empty cache of one row."""
    if isinstance(dimension, int):
        return dimension
    return 1 if dimension == "batch_size" else 0


def log_softmax(logits: Logits) -> Logits:
    shifted = logits - logits.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))
