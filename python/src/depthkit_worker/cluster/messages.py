"""What the worker and its actors tell each other."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from depthkit_worker.contract.wire import Measure, ModelOptions, ScoredPositions, Screening
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.subnetworks.executor import Evaluation, RowSums
from depthkit_worker.subnetworks.splits import Pace


@dataclass(frozen=True)
class ModelOrder:
    """A model to be held, and what it must be."""

    key: str
    source: str
    options: ModelOptions
    """With the device an actor has."""
    digest: str
    screening: Screening | None


@dataclass(frozen=True)
class Loaded:
    pace: Pace
    host: str
    device: str


@dataclass(frozen=True)
class Failed:
    """A `DepthkitError`, as data."""

    code: str
    message: str
    details: dict[str, Any]

    @property
    def error(self) -> DepthkitError:
        return DepthkitError(self.code, self.message, **self.details)


@dataclass(frozen=True)
class Done:
    """A piece that is finished."""

    sums: tuple[RowSums, ...]
    steps: tuple[tuple[int, frozenset[int], int], ...]
    """Blocks that were run: block, codes, and sequences in all."""
    heads: int
    """Sequences that the head was run on."""
    notes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class SentEvaluation:
    """An `Evaluation` for other machines: what repairs put in as bytes, so that it goes to the device where
    it is wanted."""

    codes: NDArray[np.uint8]
    measures: tuple[Measure, ...]
    positions: ScoredPositions
    variants: tuple[bytes, ...]
    by_sequence: bool
    screened: bool


def sent(evaluation: Evaluation) -> SentEvaluation:
    from ray import cloudpickle

    def as_bytes(value: object) -> bytes:
        file = io.BytesIO()
        torch.save(value, file, pickle_module=cloudpickle)
        return file.getvalue()

    return SentEvaluation(
        codes=evaluation.codes,
        measures=evaluation.measures,
        positions=evaluation.positions,
        variants=tuple(map(as_bytes, evaluation.variants)),
        by_sequence=evaluation.by_sequence,
        screened=evaluation.screened,
    )


def received(evaluation: SentEvaluation, decoder: Decoder) -> Evaluation:
    def device(index: int) -> torch.device:
        return decoder.block_device(index) if index < decoder.depth else decoder.device

    return Evaluation(
        codes=evaluation.codes,
        measures=evaluation.measures,
        positions=evaluation.positions,
        # From the worker alone, which has them as objects: no file of anybody else's.
        variants=tuple(
            torch.load(io.BytesIO(data), map_location=device(index), weights_only=False)
            for index, data in enumerate(evaluation.variants)
        ),
        by_sequence=evaluation.by_sequence,
        screened=evaluation.screened,
    )
