"""One block on one state of the residual stream: every variant of the block that some subnetwork needs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from torch import Tensor

from depthkit_worker.models.decoder import Decoder, Replay
from depthkit_worker.models.stand_ins import own_updates
from depthkit_worker.models.units import Parts
from depthkit_worker.subnetworks.gates import changed_weights, gated_block
from depthkit_worker.subnetworks.masks import (
    FIRST_VARIANT,
    NEITHER,
    NO_ATTENTION,
    NO_FEED_FORWARD,
    WHOLE,
    Variant,
    Variants,
)
from depthkit_worker.subnetworks.screening import Products, own_products


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


@dataclass(frozen=True)
class StepCost:
    """What a step spends, in block evaluations."""

    parallel: bool
    shares: Shares
    variants: Variants = ()
    depth: int | None = None
    """Where the head stands, if it is a step."""

    def of(self, index: int, codes: Collection[int]) -> float:
        """Of `Stepper.run` on block `index` for `codes`."""
        if index == self.depth:
            return 0.0
        plain, alone = _sorted_out(index, codes, self.variants)
        return self._plain(plain) + sum(self._alone(variant) for variant in alone.values())

    def _plain(self, codes: Collection[int]) -> float:
        if WHOLE in codes or (self.parallel and NO_ATTENTION in codes and NO_FEED_FORWARD in codes):
            # The whole block passes through the state between its sublayers; in parallel wiring its two
            # updates stand apart as well.
            return 1.0 if self.parallel or NO_ATTENTION not in codes else 1.0 + self.shares.feed_forward
        cost = self.shares.attention if NO_FEED_FORWARD in codes else 0.0
        return cost + (self.shares.feed_forward if NO_ATTENTION in codes else 0.0)

    def _alone(self, variant: Variant) -> float:
        return 1.0 if variant.edit.replacement is not None else self._plain({variant.lost})


def step_cost(decoder: Decoder, variants: Variants) -> StepCost:
    return StepCost(decoder.parallel, shares_of(decoder), variants, decoder.depth)


def _sorted_out(
    index: int, codes: Collection[int], variants: Variants
) -> tuple[set[int], dict[int, Variant]]:
    """The plain codes to compute, those that variants begin with included, and the variants that run by
    themselves: on another stream, with other weights or another block."""
    plain = {code for code in codes if code < FIRST_VARIANT}
    alone: dict[int, Variant] = {}
    for code in codes:
        if code >= FIRST_VARIANT:
            variant = variants[index][code - FIRST_VARIANT]
            edit = variant.edit
            if edit.before is None and edit.replacement is None and not edit.weights:
                plain.add(variant.lost)
            else:
                alone[code] = variant
    return plain, alone


class Stepper:
    """Takes states through blocks of `decoder`, as it stands."""

    def __init__(self, decoder: Decoder, variants: Variants = (), products: Products = own_products) -> None:
        self._decoder = decoder
        self._variants = variants
        self._products = products

    def run(self, index: int, x: Tensor, codes: Collection[int], replay: Replay) -> dict[int, Tensor]:
        """The state behind block `index` for each of `codes`, all (batch, sequence, hidden). States may
        be one and the same tensor: nobody writes to them. The head, which comes behind the last block where
        subnetworks have different ones, is the scorer's: here states pass it by."""
        if index == self._decoder.depth:
            return dict.fromkeys(codes, x)
        with self._products():
            return self._run(index, x, codes, replay)

    def _run(self, index: int, x: Tensor, codes: Collection[int], replay: Replay) -> dict[int, Tensor]:
        x = self._decoder.at(index, x)
        if not self._variants:
            return self._plain(index, x, codes, replay)
        plain, alone = _sorted_out(index, codes, self._variants)
        states = self._plain(index, x, plain, replay)
        return {
            code: states[code]
            if code < FIRST_VARIANT
            else self._variant(index, x, code, states, alone, replay)
            for code in codes
        }

    def _variant(
        self,
        index: int,
        x: Tensor,
        code: int,
        plain: dict[int, Tensor],
        alone: dict[int, Variant],
        replay: Replay,
    ) -> Tensor:
        variant = self._variants[index][code - FIRST_VARIANT]
        edit = variant.edit
        if edit.before is not None:
            x = x + edit.before(x)
        y = self._alone(index, x, variant, replay) if code in alone else plain[variant.lost]
        if edit.beside is not None:
            y = y + edit.beside(x)
        return y if edit.after is None else y + edit.after(y)

    def _alone(self, index: int, x: Tensor, variant: Variant, replay: Replay) -> Tensor:
        replacement = variant.edit.replacement
        if replacement is not None:
            with changed_weights(replacement, variant.edit.weights):
                return self._decoder.run_block(index, x, replay, replacement)
        if variant.lost == NEITHER:
            return x
        with changed_weights(self._decoder.blocks[index], variant.edit.weights):
            if variant.lost == WHOLE:
                return self._decoder.run_block(index, x, replay)
            return self._without(Parts(variant.lost), index, x, replay)

    def _plain(self, index: int, x: Tensor, codes: Collection[int], replay: Replay) -> dict[int, Tensor]:
        states = {NEITHER: x} if NEITHER in codes else {}
        if self._decoder.parallel:
            return states | self._parallel(index, x, codes, replay)
        return states | self._sequential(index, x, codes, replay)

    def _sequential(self, index: int, x: Tensor, codes: Collection[int], replay: Replay) -> dict[int, Tensor]:
        states: dict[int, Tensor] = {}
        if WHOLE in codes and NO_FEED_FORWARD in codes:
            both = self._decoder.run_block_split(index, x, replay)
            states[WHOLE], states[NO_FEED_FORWARD] = both.x_out, both.attention_out
        elif WHOLE in codes:
            states[WHOLE] = self._decoder.run_block(index, x, replay)
        elif NO_FEED_FORWARD in codes:
            states[NO_FEED_FORWARD] = self._without(Parts.FEED_FORWARD, index, x, replay)
        if NO_ATTENTION in codes:
            states[NO_ATTENTION] = self._without(Parts.ATTENTION, index, x, replay)
        return states

    def _parallel(self, index: int, x: Tensor, codes: Collection[int], replay: Replay) -> dict[int, Tensor]:
        computed = [code for code in (WHOLE, NO_ATTENTION, NO_FEED_FORWARD) if code in codes]
        # An update of the block's own adds to every one of them, and is no part of the two.
        if len(computed) > 1 and not own_updates(self._decoder.blocks[index]):
            # One computation of the two updates gives all the combinations of them.
            parts = self._decoder.run_block_split(index, x, replay)
            all_three = {
                WHOLE: parts.x_out,
                NO_ATTENTION: parts.feed_forward_out,
                NO_FEED_FORWARD: parts.attention_out,
            }
            return {code: all_three[code] for code in computed}
        states: dict[int, Tensor] = {}
        if WHOLE in codes:
            states[WHOLE] = self._decoder.run_block(index, x, replay)
        if NO_ATTENTION in codes:
            states[NO_ATTENTION] = self._without(Parts.ATTENTION, index, x, replay)
        if NO_FEED_FORWARD in codes:
            states[NO_FEED_FORWARD] = self._without(Parts.FEED_FORWARD, index, x, replay)
        return states

    def _without(self, part: Parts, index: int, x: Tensor, replay: Replay) -> Tensor:
        with gated_block(self._decoder.blocks[index], part, self._decoder.family):
            return self._decoder.run_block(index, x, replay)
