"""Where units are gone: the places that repairs fill."""

from __future__ import annotations

from dataclasses import dataclass

from depthkit_worker.contract.wire import UnitKind
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.stand_ins import Slot
from depthkit_worker.models.units import Parts, Unit
from depthkit_worker.repair.repair import slot_of
from depthkit_worker.subnetworks.subnetwork import Subnetwork


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


def find_gaps(subnetwork: Subnetwork) -> tuple[Gap, ...]:
    """The gaps that the removed units leave and that no repair fills.

    A block that lost both sublayers is a removed block, however its units were named.
    """
    filled = {unit for repair in subnetwork.repairs for unit in repair.removed if repair.edits}
    gaps: list[Gap] = []
    for index, lost in enumerate(subnetwork.lost):
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


def require_gaps(subnetwork: Subnetwork, method: str) -> tuple[Gap, ...]:
    """The gaps a method has to fill; at least one."""
    gaps = find_gaps(subnetwork)
    if not gaps:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Nothing is left for {method} to repair: no unit is removed whose place is not filled already. "
            "Remove units first (model.without([...])), or heal what stays with lora.",
            method=method,
        )
    return gaps
