"""What a policy skipped, counted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from depthkit_worker.contract.wire import Skips


class Tally:
    """Of passes through all that the policy is about: one that failed before, and is done again, counts
    once."""

    def __init__(self, there: Sequence[bool], blocks: Sequence[int], warm_up: int) -> None:
        """`there`: of each block, whether it has its feed-forward; `blocks`: those the policy is about."""
        self._there, self._warm_up = there, warm_up
        self._feed_forwards, self._candidates = sum(there), sum(there[block] for block in blocks)
        self._by_block = np.zeros(len(there), dtype=np.int64)
        self._tokens_at = np.zeros(0, dtype=np.int64)
        self._skipped_at = np.zeros(0, dtype=np.int64)

    def add(self, positions: Tensor, counted: Tensor, skipped: dict[int, Tensor]) -> None:
        """A pass: of its tokens (batch, sequence) their places and whether they count, and of each block
        whether they skipped its feed-forward."""
        kept = counted.cpu().numpy()
        places = positions.cpu().numpy()[kept]
        times = np.zeros(len(places), dtype=np.int64)
        for block, where in skipped.items():
            if not self._there[block]:
                continue
            here = where.cpu().numpy()[kept]
            self._by_block[block] += int(here.sum())
            times += here
        size = max(len(self._tokens_at), int(places.max(initial=-1)) + 1)
        self._tokens_at = _longer(self._tokens_at, size) + np.bincount(places, minlength=size)
        self._skipped_at = _longer(self._skipped_at, size)
        np.add.at(self._skipped_at, places, times)

    def join(self, other: Tally) -> None:
        """Add the passes that another one of the same policy counted."""
        size = max(len(self._tokens_at), len(other._tokens_at))
        self._by_block = self._by_block + other._by_block
        self._tokens_at = _longer(self._tokens_at, size) + _longer(other._tokens_at, size)
        self._skipped_at = _longer(self._skipped_at, size) + _longer(other._skipped_at, size)

    def skips(self) -> Skips:
        tokens, skipped = int(self._tokens_at.sum()), int(self._skipped_at.sum())
        candidates = self._candidates * int(self._tokens_at[self._warm_up :].sum())
        possible = np.maximum(self._feed_forwards * self._tokens_at, 1)
        return Skips(
            share=skipped / (self._feed_forwards * tokens) if self._feed_forwards * tokens else None,
            share_of_candidates=skipped / candidates if candidates else None,
            by_block=tuple((self._by_block / max(tokens, 1)).tolist()),
            by_position=tuple((self._skipped_at / possible).tolist()),
            tokens=tokens,
        )


def _longer(counts: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    return np.pad(counts, (0, size - len(counts)))
