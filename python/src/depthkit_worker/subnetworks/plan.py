"""Cutting the work into pieces that lose little sharing, and knowing beforehand what it costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from depthkit_worker.memory.batch_sizes import fitting_rows, stacked_states
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.subnetworks.data_rows import Data, rows_of
from depthkit_worker.subnetworks.executor import SHARED_BY, Evaluation, Piece
from depthkit_worker.subnetworks.masks import WHOLE
from depthkit_worker.subnetworks.scorable import Scorable
from depthkit_worker.subnetworks.steps import StepCost, step_cost
from depthkit_worker.subnetworks.trie import Trie, WalkCost, walk_cost

if TYPE_CHECKING:
    from depthkit_worker.subnetworks.splits import Split

LEAST_ROWS, MOST_ROWS = 64, 128
"""Subnetworks a piece of data in several batches. Values are finished piece by piece, and two pieces
share nothing: a cut costs the blocks that the subnetworks on its two sides have in common."""


@dataclass(frozen=True)
class Plan:
    pieces: tuple[Piece, ...]
    batch_size: int
    """Sequences, in the largest batch."""
    evaluations: float
    """Distinct block evaluations, counted a batch."""
    heads: float
    """Runs of the head, counted a batch."""
    head_cost: float
    """Block evaluations that one run of the head is worth, by the multiplications in it."""
    states: int
    """States of the residual stream kept at most."""
    split: Split | None = None
    """How it was cut for several devices; None: for one."""

    @property
    def total(self) -> float:
        return self.evaluations + self.heads * self.head_cost


def make_plan(
    decoder: Decoder,
    data: Data | Scorable,
    evaluation: Evaluation,
    batch_size: int | None,
    budget: int | None,
) -> Plan:
    """Subnetworks first, then the data: a stretch of subnetworks is finished before the next begins."""
    data = rows_of(data, decoder)
    cost = step_cost(decoder, evaluation.variants)
    whole = cost_of_rows(evaluation.codes, evaluation.compares, cost)
    states = whole.states + (SHARED_BY if evaluation.compares else 1)
    shares = data.shares(batch_size, lambda length: fitting_rows(decoder, length, states, budget))
    size = max(end - first for first, end in shares)
    batches = data.sequences / size
    # A level of a stretch's trie, and the next one that is made of it.
    levels = 2 * min(MOST_ROWS, len(evaluation.codes))
    stacked = stacked_states(decoder, size * data.longest, levels, budget)
    states = states if stacked == 1 else levels
    at_once = len(shares) == 1 and stacked == 1
    everything = np.arange(len(evaluation.codes))
    stretches = [everything] if at_once else stretches_of(evaluation.codes, LEAST_ROWS, MOST_ROWS)
    pieces = tuple(Piece(rows, first, end, stacked) for rows in stretches for first, end in shares)
    costs = [cost_of_rows(evaluation.codes[rows], evaluation.compares, cost) for rows in stretches]
    evaluations = sum(one.evaluations for one in costs) * batches
    heads = len(evaluation.codes) * batches
    return Plan(pieces, size, evaluations, heads, _head_cost(decoder, data, evaluation), states)


def cost_of_rows(codes: NDArray[np.uint8], compares: bool, cost: StepCost) -> WalkCost:
    """Of sorted rows on one batch; `compares`: with the dense model, which runs too."""
    reference = None
    if compares:
        reference = 0
        if codes[0].any():
            codes = np.concatenate([np.zeros_like(codes[:1]), codes])
    return walk_cost(Trie(codes, reference), cost)


def stretches_of(codes: NDArray[np.uint8], least: int, most: int) -> list[NDArray[np.int64]]:
    """Rows in stretches of `least` to `most`, cut where neighbours have the fewest computed blocks in
    common."""
    # How far each row agrees with the one before it, in blocks that are computed.
    differs = codes[1:] != codes[:-1]
    agreed = np.where(differs.any(1), differs.argmax(1), codes.shape[1])
    computed = np.cumsum(codes == WHOLE, axis=1)
    common = [0 if depth == 0 else int(computed[row, depth - 1]) for row, depth in enumerate(agreed.tolist())]
    stretches: list[NDArray[np.int64]] = []
    first = 0
    while len(codes) - first > most:
        cut = min(range(first + least, first + most + 1), key=lambda row: common[row - 1])
        stretches.append(np.arange(first, cut))
        first = cut
    return [*stretches, np.arange(first, len(codes))]


def _head_cost(decoder: Decoder, data: Scorable, evaluation: Evaluation) -> float:
    block = sum(parameter.numel() for parameter in decoder.blocks.parameters()) / decoder.depth
    head = decoder.vocabulary_size * decoder.hidden_size * data.scored_share(evaluation.positions)
    return head / block if block else 1.0
