"""Which sequences a training step runs on."""

from __future__ import annotations

import torch

EPOCH_STRIDE = 1_000_003
"""Between the seeds of two epochs, so that seeds next to each other share none."""


class Order:
    """The training sequences one after another for ever, each epoch in an order of its own.

    A place in it is the number of sequences before it, which is all that a resumed training needs.
    """

    def __init__(self, sequences: int, seed: int) -> None:
        self._sequences = sequences
        self._seed = seed
        self._epoch = -1
        self._permutation: list[int] = []

    def take(self, position: int, count: int) -> list[int]:
        """Numbers of the `count` sequences from `position` on."""
        return [self._at(place) for place in range(position, position + count)]

    def first(self, count: int) -> set[int]:
        """The sequences among the first `count` places."""
        return set(range(self._sequences) if count >= self._sequences else self.take(0, count))

    def _at(self, position: int) -> int:
        epoch, place = divmod(position, self._sequences)
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed((self._seed + EPOCH_STRIDE * epoch) % 2**63)
            self._permutation = torch.randperm(self._sequences, generator=generator).tolist()
            self._epoch = epoch
        return self._permutation[place]
