"""One subnetwork: a decoder without some of its units, with repairs in their place."""

from __future__ import annotations

from dataclasses import dataclass, replace

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Parts, Unit, normalise, removed_parts
from depthkit_worker.repair.repair import BlockEdit, Repair, check_repairs, edits_of


@dataclass(frozen=True)
class Subnetwork:
    """An immutable value, checked when it is made: its units are there, each named once; its repairs make up
    for what is removed, in the order they were made, one per gap. Nothing is done to the decoder."""

    decoder: Decoder
    """The model that units are taken from, as it stands."""
    units: tuple[Unit, ...] = ()
    """What is removed."""
    repairs: tuple[Repair, ...] = ()
    """In the order they were made."""

    def __post_init__(self) -> None:
        _ = self.lost
        self.decoder.require_present(self.units)
        check_repairs(self.repairs, self.units, self.decoder.depth, self.decoder.family)
        _ = self.edits

    @classmethod
    def dense(cls, decoder: Decoder) -> Subnetwork:
        """The whole model."""
        return cls(decoder)

    @property
    def lost(self) -> tuple[Parts, ...]:
        """What each block loses."""
        return removed_parts(self.units, self.decoder.depth)

    @property
    def edits(self) -> dict[int, BlockEdit]:
        """What the repairs together make of the blocks they touch, by the block's number. Changes to what is
        removed are no part of it."""
        return edits_of(self.repairs, self.lost, self.decoder.family)

    @property
    def shortest_units(self) -> tuple[Unit, ...]:
        """The same removal in its shortest form, in order; see `normalise`."""
        return normalise(self.units, self.decoder.depth)

    @property
    def unrepaired(self) -> Subnetwork:
        return replace(self, repairs=())

    def repaired(self, *repairs: Repair) -> Subnetwork:
        """With these on top of those that are there."""
        return replace(self, repairs=(*self.repairs, *repairs))
