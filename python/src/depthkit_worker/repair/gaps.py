"""Where units are gone: the places that repairs fill."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Parts, Unit, UnitKind, removed_parts
from depthkit_worker.subnetworks.repairs import Repair, Slot, slot_of


@dataclass(frozen=True)
class Gap:
    """A removed sublayer, or a run of neighbouring removed blocks, from the bottom up."""

    kind: UnitKind
    first: int
    last: int
    """The run's last block, itself included; `first` for a sublayer."""

    @property
    def units(self) -> tuple[Unit, ...]:
        return tuple(Unit(self.kind, index) for index in range(self.first, self.last + 1))

    def slot(self, parallel: bool) -> Slot:
        """The field of block `first`'s edit that an update in the gap's place goes to."""
        return slot_of(self.kind, parallel)


def find_gaps(units: Iterable[Unit], depth: int, repairs: Iterable[Repair] = ()) -> tuple[Gap, ...]:
    """The gaps that `units` leave in a model of `depth` blocks and that none of `repairs` fills.

    A block that lost both sublayers is a removed block, however its units were named.
    """
    parts = removed_parts(units, depth)
    filled = {unit for repair in repairs for unit in repair.removed if repair.edits}
    gaps: list[Gap] = []
    for index, lost in enumerate(parts):
        if lost is Parts.BOTH:
            if gaps and gaps[-1].kind == "block" and gaps[-1].last == index - 1:
                gaps[-1] = Gap("block", gaps[-1].first, index)
            else:
                gaps.append(Gap("block", index, index))
        elif lost is Parts.ATTENTION:
            gaps.append(Gap("attention", index, index))
        elif lost is Parts.FEED_FORWARD:
            gaps.append(Gap("feed-forward", index, index))
    return tuple(gap for gap in gaps if not filled.intersection(gap.units))


def require_gaps(decoder: Decoder, units: Iterable[Unit], repairs: Iterable[Repair], method: str) -> tuple[Gap, ...]:
    """The gaps a method has to fill; at least one."""
    gaps = find_gaps(units, decoder.depth, repairs)
    if not gaps:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Nothing is left for {method} to repair: no unit is removed whose place is not filled already. "
            "Remove units first (model.without([...])), or heal what stays with lora.",
            method=method,
        )
    return gaps
