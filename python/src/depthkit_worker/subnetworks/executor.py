"""Who does the work: a list of independent pieces, each some subnetworks on some of the data.

A piece needs a decoder, the data and the plain data of an `Evaluation`, and nothing of any other
piece, so that pieces may run anywhere and in any order. `LocalExecutor` runs them here, one by one; that of
`cluster/` has actors run them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import LongTensor, Tensor

from depthkit_worker.contract.wire import Measure, ScoredPositions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.allocator import freed_memory_kept, release
from depthkit_worker.memory.out_of_memory import is_out_of_memory
from depthkit_worker.models.decoder import Decoder, Replay
from depthkit_worker.models.logits import Unreadable, unreadable
from depthkit_worker.models.stacked_replay import StackedReplay, stacked_replay
from depthkit_worker.subnetworks.data_rows import Data, rows_of
from depthkit_worker.subnetworks.dense_streams import DenseStreamsOf
from depthkit_worker.subnetworks.head import Head
from depthkit_worker.subnetworks.levels import walk_levels
from depthkit_worker.subnetworks.masks import FIRST_VARIANT, WHOLE, Variants
from depthkit_worker.subnetworks.positions import COMPARING
from depthkit_worker.subnetworks.scorable import Scorable, ScoredRows
from depthkit_worker.subnetworks.scoring import READABLE, Scorer
from depthkit_worker.subnetworks.screening import own_products, screened_products
from depthkit_worker.subnetworks.steps import Stepper
from depthkit_worker.subnetworks.trie import Spend, Trie, walk

if TYPE_CHECKING:
    from depthkit_worker.subnetworks.plan import Plan

SHARED_BY = 16
"""Subnetworks scored together when a measure compares with the dense model, whose logits are computed
again each time: 1/16 of the head's work, for 16 final states kept."""


@dataclass(frozen=True)
class Evaluation:
    """What is asked, as plain data."""

    codes: NDArray[np.uint8]
    """(distinct subnetworks, depth), sorted; see `block_codes`."""
    measures: tuple[Measure, ...]
    positions: ScoredPositions
    variants: Variants = ()
    by_sequence: bool = False
    """Whether every sequence's own values are wanted too."""
    screened: bool = False
    """Whether products are in bfloat16."""

    @property
    def compares(self) -> bool:
        return any(measure in COMPARING for measure in self.measures)


@dataclass(frozen=True)
class Piece:
    """Rows of `Evaluation.codes`, on sequences of the data."""

    rows: NDArray[np.int64]
    first: int
    end: int
    """The sequences `first` to `end`, which run as one batch."""
    stacked: int = 1
    """States that go through a block together, level by level of the trie; 1: one by one, depth first."""

    @property
    def sequences(self) -> int:
        return self.end - self.first


@dataclass(frozen=True)
class RowSums:
    """One subnetwork on one piece's sequences."""

    row: int
    sequences: int
    sums: NDArray[np.float64]
    """(measures,): over the positions, or items, counted."""
    counts: NDArray[np.int64]
    """(measures,): how many those are."""
    by_sequence: tuple[NDArray[np.int64], NDArray[np.float64]] | None
    """Where it is wanted: the sequences' numbers, and their own values, (sequences, measures)."""
    unreadable: Unreadable | None
    """Where its logits, or those it is compared with, are NaN or infinite: the sums are no numbers."""


@dataclass(frozen=True)
class _Ready:
    """One subnetwork that is to be scored."""

    row: int
    state: Tensor
    """What `Scorer.read` gave."""
    head_weight: Tensor | None


class Progress(Protocol):
    """What an executor tells while it works."""

    def step(self, index: int, codes: Collection[int], sequences: int) -> None:
        """Block `index` was evaluated for `codes`; may raise to stop the work."""

    def check(self) -> None:
        """Between shorter steps; may raise to stop the work."""

    def head(self, sequences: int) -> None:
        """The head was run on a final state."""

    def note(self, text: str) -> None:
        """Something the result should say."""


class Executor(Protocol):
    def cut(self, plan: Plan, evaluation: Evaluation) -> Plan:
        """The plan, with pieces of the size that is best for those who will run them."""

    def run(self, evaluation: Evaluation, pieces: Iterable[Piece], progress: Progress) -> Iterator[RowSums]:
        """The sums of every row of every piece, as they come; a row's sequences may come in parts."""


class LocalExecutor:
    """Runs pieces one after the other on one decoder, as it stands."""

    def __init__(
        self, decoder: Decoder, data: Data | Scorable, streams: DenseStreamsOf | None = None
    ) -> None:
        """`streams`: of the decoder without anything put into it, on the same data, in the same precision."""
        self._decoder = decoder
        self._streams = streams
        self._data = rows_of(data, decoder)
        self._head = Head(decoder)

    def cut(self, plan: Plan, evaluation: Evaluation) -> Plan:
        return plan

    def run(self, evaluation: Evaluation, pieces: Iterable[Piece], progress: Progress) -> Iterator[RowSums]:
        if self._head.without_kernel:
            progress.note(f"the output head took several times as long: {self._head.without_kernel}")
        with freed_memory_kept(self._decoder.device):
            yield from self._run(evaluation, pieces, progress)

    def _run(self, evaluation: Evaluation, pieces: Iterable[Piece], progress: Progress) -> Iterator[RowSums]:
        """Where the memory runs out, what is left of the piece goes on in halves of its sequences, and
        later pieces are cut as small."""
        waiting = deque(pieces)
        most: int | None = None
        while waiting:
            piece = waiting.popleft()
            if most is not None and piece.sequences > most:
                waiting.extendleft(reversed(_halves(piece)))
                continue
            scored: set[int] = set()
            try:
                for sums in self._run_piece(evaluation, piece, progress):
                    scored.add(sums.row)
                    yield sums
                continue
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if piece.sequences == 1 and piece.stacked == 1:
                    raise _too_small(self._data.longest, error) from error
            # Outside the except clause: the error holds the frames, and with them the tensors.
            release(self._decoder.device)
            rest = np.array([row for row in piece.rows if int(row) not in scored], dtype=np.int64)
            if piece.stacked > 1:
                progress.note(f"out of memory with {piece.stacked} subnetworks at once; went on one by one")
                waiting = deque(replace(later, stacked=1) for later in (replace(piece, rows=rest), *waiting))
                continue
            most = max(1, piece.sequences // 2)
            progress.note(f"out of memory with {piece.sequences} sequences per batch; went on with {most}")
            waiting.extendleft(reversed(_halves(replace(piece, rows=rest))))

    @torch.inference_mode()
    def _run_piece(self, evaluation: Evaluation, piece: Piece, progress: Progress) -> Iterator[RowSums]:
        batch = self._data.batch(piece.first, piece.end, evaluation.positions, evaluation.measures)
        input_ids = cast("LongTensor", batch.input_ids.to(self._decoder.device))
        progress.check()
        replay = self._decoder.begin(input_ids, batch.branching, batch.counted)
        progress.check()
        at = batch.scored
        trie, wanted = _trie(evaluation, piece)
        depth = self._decoder.depth
        products = screened_products(self._decoder.device) if evaluation.screened else own_products
        stepper = Stepper(self._decoder, evaluation.variants, products)
        scorer: Scorer | None = None
        if trie.reference is None:
            scorer = Scorer(self._head, at, None, progress.check, products)
        group: list[_Ready] = []
        shared_by = max(piece.stacked, SHARED_BY if evaluation.compares else 1)

        def spend(index: int, codes: Collection[int]) -> None:
            progress.step(index, codes, piece.sequences)

        stack: StackedReplay | None = None
        if piece.stacked > 1:
            stack = stacked_replay(self._decoder, replay, piece.stacked, batch.branching, batch.counted)
        if stack is None:
            ends = walk(trie, stepper, replay, spend, self._begin(trie, piece, stepper, replay, spend))
        else:
            ends = walk_levels(trie, stepper, stack, spend)
        for place, state in ends:
            if scorer is None:  # the dense model comes first
                scorer = Scorer(self._head, at, state, progress.check, products)
            if wanted[place] >= 0:
                weight = (
                    self._head_weight(evaluation, int(trie.codes[place, -1])) if trie.depth > depth else None
                )
                group.append(_Ready(wanted[place], scorer.read(state), weight))
            del state
            if len(group) == shared_by:
                yield from self._score(evaluation, scorer, group, at, progress)
        if group and scorer is not None:
            yield from self._score(evaluation, scorer, group, at, progress)

    def _begin(
        self, trie: Trie, piece: Piece, stepper: Stepper, replay: Replay, spend: Spend
    ) -> tuple[int, Tensor] | None:
        """Where the rows of a piece part from the whole model, from the nearest stream that is kept. Blocks
        below that are spent as ever: what a set counts does not depend on what was asked before."""
        if self._streams is None or (boundary := trie.untouched) == 0:
            return None
        batch = (piece.first, piece.end)
        begin, hidden = self._streams.highest(batch, boundary) or (0, replay.hidden)
        for index in range(boundary):
            if index >= begin:
                hidden = stepper.run(index, hidden, (WHOLE,), replay)[WHOLE]
            spend(index, (WHOLE,))
        self._streams.keep(batch, boundary, hidden)
        return boundary, hidden

    def _head_weight(self, evaluation: Evaluation, code: int) -> Tensor | None:
        """The head's weight as a repair made it; None: the model's own."""
        if code < FIRST_VARIANT:
            return None
        change = evaluation.variants[-1][code - FIRST_VARIANT].edit.weights["weight"]
        return change(self._head.weight)

    def _score(
        self,
        evaluation: Evaluation,
        scorer: Scorer,
        group: list[_Ready],
        at: ScoredRows,
        progress: Progress,
    ) -> Iterator[RowSums]:
        """Scores and empties `group`."""
        values = scorer.score([ready.state for ready in group], [ready.head_weight for ready in group])
        rows = [ready.row for ready in group]
        group.clear()
        for row, of_row in zip(rows, values, strict=True):
            sequences = len(at.numbers)
            progress.head(sequences)
            readable = of_row[READABLE] if at.picks is None else of_row[READABLE][at.picks]
            broken = None if bool(readable.all()) else unreadable(readable, *at.places)
            own = (at.numbers, at.by_sequence(of_row)) if evaluation.by_sequence else None
            yield RowSums(row, sequences, at.sums(of_row), at.counts, own, broken)


def _trie(evaluation: Evaluation, piece: Piece) -> tuple[Trie, list[int]]:
    """The piece's trie and, for each of its rows, the row of the evaluation (-1: nobody asked)."""
    codes = evaluation.codes[piece.rows]
    wanted: list[int] = piece.rows.tolist()
    if not evaluation.compares:
        return Trie(codes), wanted
    if codes[0].any():  # sorted, so the dense model is the first row or not there
        codes = np.concatenate([np.zeros_like(codes[:1]), codes])
        wanted = [-1, *wanted]
    return Trie(codes, reference=0), wanted


def _halves(piece: Piece) -> list[Piece]:
    middle = piece.first + -(-piece.sequences // 2)
    return [replace(piece, end=middle), replace(piece, first=middle)]


def _too_small(length: int, error: BaseException) -> DepthkitError:
    return DepthkitError(
        "OUT_OF_MEMORY",
        f"One sequence of {length} tokens does not fit into memory beside the model: {error}. "
        "Use shorter sequences, score fewer positions, or load the model in a narrower dtype.",
        length=length,
    )
