"""Logits are read here and nowhere else: NaN has a largest token too, and a text that nobody wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.dtypes import dtype_name

REMEDY = (
    "Look for broken weights, or load the model in a wider dtype: weights stored in bfloat16 can overflow in "
    "float16."
)
Places = Sequence[int] | NDArray[np.int64]


@dataclass(frozen=True)
class Unreadable:
    """Where logits that were read together are NaN or infinite."""

    item: int
    """The first of these items."""
    step: int
    """The first place in it: tokens written or read before."""
    items: int
    of: int
    """Items that were read together."""


class Reader:
    """What reads logits asks it first. `what`: what is being done; `item`: what its items are called;
    `dtype`: the model's, from which a library may have widened its logits."""

    def __init__(self, what: str, dtype: torch.dtype, item: str = "item") -> None:
        self._what = what
        self.dtype = dtype_name(dtype)
        self._item = item

    def check(self, logits: Tensor, items: Places, step: int = 0) -> None:
        """Refuse logits (items, vocabulary), or (items, steps, vocabulary) of the steps from `step` on, with
        NaN or infinity. One that is minus infinity is a token that is ruled out."""
        # The largest of a row is NaN where one of them is: one pass says it all.
        readable = logits.detach().amax(-1).isfinite().reshape(len(items), -1)
        steps = readable.shape[1]
        places = np.repeat(np.asarray(items, dtype=np.int64), steps)
        self.check_rows(readable.flatten(), places, np.tile(np.arange(step, step + steps), len(items)))

    def check_rows(self, readable: Tensor, items: Places, steps: Places) -> None:
        """The same of rows that were read already: whether each is `readable`, (rows,), its item and its
        step."""
        found = unreadable(readable, items, steps)
        if found is not None:
            raise self.refusal(found)

    def refusal(self, found: Unreadable) -> DepthkitError:
        return DepthkitError(
            "NOT_MEASURABLE",
            f"{self._what}: the logits of {self._item} {found.item} are NaN or infinite at step "
            f"{found.step}, in {self.dtype}, as are those of {found.items} of the {found.of} {self._item}s "
            f"computed together. {REMEDY}",
            item=found.item,
            step=found.step,
            dtype=self.dtype,
            items=found.items,
            of=found.of,
        )


def unreadable(readable: Tensor, items: Places, steps: Places) -> Unreadable | None:
    """What of these rows cannot be read, None where all can."""
    if bool(readable.all()):
        return None
    broken = ~readable.cpu().numpy()
    places, at = np.asarray(items)[broken], np.asarray(steps)[broken]
    first = places.min()
    return Unreadable(
        int(first), int(at[places == first].min()), len(np.unique(places)), len(np.unique(items))
    )
