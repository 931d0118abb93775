"""One block on one state of the residual stream: every variant of the block that some subnetwork needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from torch import Tensor

from depthkit_worker.models.decoder import Decoder, Replay
from depthkit_worker.models.units import Parts, Unit
from depthkit_worker.subnetworks.gates import gated_block
from depthkit_worker.subnetworks.masks import (
    NEITHER,
    NO_ATTENTION,
    NO_BLOCK,
    NO_FEED_FORWARD,
    WHOLE,
    Repair,
)


@dataclass(frozen=True)
class Shares:
    """How much of a block's work is in each sublayer, by its weights; they add up to 1."""

    attention: float
    feed_forward: float


def shares_of(decoder: Decoder) -> Shares:
    """Of the first block that has both sublayers; an estimate for planning, nothing depends on it."""
    for block in decoder.blocks:
        total = sum(parameter.numel() for parameter in block.parameters())
        attention = getattr(block, decoder.family.attention, None)
        if attention is not None and total:
            share = sum(parameter.numel() for parameter in attention.parameters()) / total
            return Shares(share, 1 - share)
    return Shares(0.5, 0.5)


def step_cost(codes: Collection[int], parallel: bool, shares: Shares) -> float:
    """Block evaluations that `Stepper.run` spends on `codes`."""
    if WHOLE in codes or (parallel and NO_ATTENTION in codes and NO_FEED_FORWARD in codes):
        # The whole block passes through the state between its sublayers; in parallel wiring its two
        # updates stand apart as well.
        return 1.0 if parallel or NO_ATTENTION not in codes else 1.0 + shares.feed_forward
    cost = shares.attention if NO_FEED_FORWARD in codes else 0.0
    return cost + (shares.feed_forward if NO_ATTENTION in codes else 0.0)


class Stepper:
    """Takes states through blocks of `decoder`, as it stands."""

    def __init__(self, decoder: Decoder, repairs: Mapping[Unit, Repair]) -> None:
        self._decoder = decoder
        self._repairs = repairs

    def run(self, index: int, x: Tensor, codes: Collection[int], replay: Replay) -> dict[int, Tensor]:
        """The state behind block `index` for each of `codes`, all (batch, sequence, hidden). States may
        be one and the same tensor: nobody writes to them."""
        if self._decoder.parallel:
            states = self._parallel(index, x, codes, replay)
        else:
            states = self._sequential(index, x, codes, replay)
        if NO_BLOCK in codes:
            states[NO_BLOCK] = self._repaired("block", index, x)
        return states

    def _sequential(self, index: int, x: Tensor, codes: Collection[int], replay: Replay) -> dict[int, Tensor]:
        states: dict[int, Tensor] = {}
        if WHOLE in codes and NO_FEED_FORWARD in codes:
            both = self._decoder.run_block_split(index, x, replay)
            states[WHOLE], middle = both.x_out, both.attention_out
            states[NO_FEED_FORWARD] = self._repaired("feed-forward", index, middle)
        elif WHOLE in codes:
            states[WHOLE] = self._decoder.run_block(index, x, replay)
        elif NO_FEED_FORWARD in codes:
            middle = self._without(Parts.FEED_FORWARD, index, x, replay)
            states[NO_FEED_FORWARD] = self._repaired("feed-forward", index, middle)
        if NO_ATTENTION in codes or NEITHER in codes:
            middle = self._repaired("attention", index, x)
            if NO_ATTENTION in codes:
                states[NO_ATTENTION] = self._without(Parts.ATTENTION, index, middle, replay)
            if NEITHER in codes:
                states[NEITHER] = self._repaired("feed-forward", index, middle)
        return states

    def _parallel(self, index: int, x: Tensor, codes: Collection[int], replay: Replay) -> dict[int, Tensor]:
        states: dict[int, Tensor] = {}
        computed = [code for code in (WHOLE, NO_ATTENTION, NO_FEED_FORWARD) if code in codes]
        if len(computed) > 1:
            # One computation of the two updates gives all the combinations of them.
            parts = self._decoder.run_block_split(index, x, replay)
            states[WHOLE] = parts.x_out
            states[NO_ATTENTION], states[NO_FEED_FORWARD] = parts.feed_forward_out, parts.attention_out
            for code in {WHOLE, NO_ATTENTION, NO_FEED_FORWARD} - set(computed):
                del states[code]
        elif WHOLE in codes:
            states[WHOLE] = self._decoder.run_block(index, x, replay)
        elif NO_ATTENTION in codes:
            states[NO_ATTENTION] = self._without(Parts.ATTENTION, index, x, replay)
        elif NO_FEED_FORWARD in codes:
            states[NO_FEED_FORWARD] = self._without(Parts.FEED_FORWARD, index, x, replay)
        if NEITHER in codes:
            states[NEITHER] = x
        # Both sublayers read x, and so does what stands in for one: its update is added to the others.
        for code, kind in ((NO_ATTENTION, "attention"), (NO_FEED_FORWARD, "feed-forward")):
            for state in {code, NEITHER} & states.keys():
                repair = self._repair(kind, index)
                if repair is not None:
                    states[state] = states[state] + (repair(x) - x)
        return states

    def _without(self, part: Parts, index: int, x: Tensor, replay: Replay) -> Tensor:
        with gated_block(self._decoder.blocks[index], part, self._decoder.family):
            return self._decoder.run_block(index, x, replay)

    def _repair(self, kind: str, index: int) -> Repair | None:
        # Looked up by name and number: the mapping is empty in nearly every call.
        return next(
            (repair for unit, repair in self._repairs.items() if unit.index == index and unit.kind == kind),
            None,
        )

    def _repaired(self, kind: str, index: int, x: Tensor) -> Tensor:
        repair = self._repair(kind, index)
        return x if repair is None else repair(x)
