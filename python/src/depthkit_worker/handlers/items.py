"""Values of single items on the wire: what a call may leave out, and what it tells as it goes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from depthkit_worker.contract.wire import ItemValues
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.finished_items import Array, FinishedItems
from depthkit_worker.session.call import Call


def finished_items(known: ItemValues | None, call: Call) -> FinishedItems:
    """What is known from before; where that is given, though it be nothing, items are sent as parts."""
    if known is None:
        return FinishedItems()
    items, ends = call.array(known.items, "uint32"), call.array(known.ends, "uint32")
    values = call.array(known.values, "float64")
    starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
    if len(items) != len(ends) or (ends < starts).any() or (ends[-1] if len(ends) else 0) != len(values):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"{call.method}: {len(items)} known items, {len(ends)} ends and {len(values)} values do not fit "
            f"together.",
        )

    def tell(items: Sequence[int], values: Sequence[Array]) -> None:
        call.part(
            ItemValues(
                items=call.attach(np.asarray(items, dtype=np.uint32)),
                ends=call.attach(np.cumsum([len(of_item) for of_item in values]).astype(np.uint32)),
                values=call.attach(np.concatenate(values).astype(np.float64)),
            )
        )

    cut = (values[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True))
    return FinishedItems(dict(zip(items.tolist(), cut, strict=True)), tell)
