"""The values of an evaluation's items that are finished, so that it can go on where another one stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from depthkit_worker.errors import DepthkitError

Array = NDArray[np.float64]
Tell = Callable[[Sequence[int], Sequence[Array]], None]
"""Gets items and what was found of each."""


class FinishedItems:
    """The values of an evaluation's items (chunks of a text, questions, prompts): what is known from before,
    and what is found now, which is told at once."""

    def __init__(self, known: Mapping[int, Array] | None = None, tell: Tell | None = None) -> None:
        self._values = dict(known or {})
        self._tell = tell

    def missing(self, sizes: Sequence[range]) -> list[int]:
        """The items that are still to be done. `sizes` says of every item how many values it can have; what
        is known of another evaluation is refused by it."""
        for item, values in self._values.items():
            if item >= len(sizes) or len(values) not in sizes[item]:
                raise DepthkitError(
                    "INVALID_ARGUMENT",
                    f"{len(values)} values are known of item {item}, which cannot be: the evaluation has "
                    f"{len(sizes)} items, or that one has another number of values. Leave out what is known "
                    f"of other evaluations.",
                    item=item,
                    values=len(values),
                    items=len(sizes),
                )
        return [item for item in range(len(sizes)) if item not in self._values]

    def add(self, items: Sequence[int], values: Sequence[Array]) -> None:
        self._values.update(zip(items, values, strict=True))
        if self._tell is not None:
            self._tell(items, values)

    def __getitem__(self, item: int) -> Array:
        return self._values[item]


def exactly(size: int) -> range:
    return range(size, size + 1)
