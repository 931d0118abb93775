"""Gates of units, learned by gradients while as much as asked for is gone at every step.

Each unit has a logit; a step draws the units that stay by Gumbel top-k (E3-Pruner, arXiv 2511.17205), runs
one batch on the model without the others, and moves the logits by the slope of the next-token loss in the
gates. With LoRA, the blocks that stay learn along, as in PAT (arXiv 2408.14721); the model's own weights are
never changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import AdamW

from depthkit_worker.contract.wire import GateGroup, GateLora, LearnGatesOptions, LoraOptions
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Parts, Unit, check_units, removed_parts
from depthkit_worker.repair.adapters import Adapter, adapted, places
from depthkit_worker.repair.training.order import Order
from depthkit_worker.repair.weight_changes import WeightChange
from depthkit_worker.selection.gated_passes import GatedPasses
from depthkit_worker.selection.orthogonality import mean_departure, pulls
from depthkit_worker.selection.top_k import ROUNDING, Group, gumbel, top_k
from depthkit_worker.session.job import Job

PHASE = "learning gates"
MEMORY = 0.9
"""Of the mean slope and of its size, from step to step."""

Changes = Mapping[int, Mapping[str, WeightChange]]


@dataclass(frozen=True)
class LearnedGates:
    logits: NDArray[np.float64]
    """(units,), group after group."""
    removed: tuple[Unit, ...]
    losses: NDArray[np.float64]
    """(steps,): of each step's batch under its draw, in nats."""
    loss: float
    """Of the whole corpus under what was learned, in nats."""
    changes: Changes
    """What LoRA learned, by block and weight; only of what stays."""
    departures: tuple[float, float] | None
    """Of what LoRA's changes read from right angles, before and after; None without LoRA."""


def learn_gates(
    decoder: Decoder, corpus: Corpus, asked: Sequence[GateGroup], options: LearnGatesOptions, job: Job
) -> LearnedGates:
    """On `corpus`, all its sequences in turn. The model is left as it was."""
    units, groups = _groups(asked, decoder.depth)
    decoder.require_present(units)
    if options.lora is not None and options.lora.rank == 1 and options.lora.orthogonality > 0:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Learning gates: LoRA of rank 1 reads one direction, which an orthogonality of "
            f"{options.lora.orthogonality:g} says nothing of. Ask for a larger rank, or for none of it.",
            rank=1,
        )
    decoder.require_gradients("Learning gates")
    passes = GatedPasses(decoder, corpus, units, job)
    with _beside(decoder, options) as adapters:
        before = mean_departure(adapters) if adapters else None
        logits, losses = _learn(passes, corpus, units, groups, adapters, options, job)
        removed = _removed(units, top_k(logits, groups, options.temperature))
        loss = passes.loss(removed, options.batch_size)
        changes = _changes(decoder, adapters, removed)
        departures = None if before is None else (before, mean_departure(adapters))
    return LearnedGates(logits.numpy(), removed, np.array(losses), loss, changes, departures)


def _groups(asked: Sequence[GateGroup], depth: int) -> tuple[list[Unit], list[Group]]:
    units: list[Unit] = []
    groups: list[Group] = []
    for group in asked:
        most = sum(group.costs)
        if len(group.costs) != len(group.units) or group.amount * (1 - ROUNDING) > most:
            raise DepthkitError(
                "INVALID_ARGUMENT",
                f"Learning gates: {group.amount:g} of {most:g}, which {len(group.units)} units of "
                f"{len(group.costs)} costs have together, was to go. Ask for as much at most.",
                units=group.units,
                amount=group.amount,
            )
        groups.append(Group(len(units), group.costs, group.amount))
        units += [Unit.parse(name) for name in group.units]
    check_units(units, depth)
    blocks = {unit.index for unit in units if unit.kind == "block"}
    for unit in units:
        if unit.kind != "block" and unit.index in blocks:
            raise DepthkitError(
                "INVALID_ARGUMENT",
                f"Learning gates: {unit} has a gate, and so has its whole block. Name one of them.",
            )
    return units, groups


def _learn(
    passes: GatedPasses,
    corpus: Corpus,
    units: Sequence[Unit],
    groups: Sequence[Group],
    adapters: Sequence[Adapter],
    options: LearnGatesOptions,
    job: Job,
) -> tuple[Tensor, list[float]]:
    """The logits, fp64 (units,), and the loss of every step's batch."""
    generator = torch.Generator().manual_seed(options.seed)
    order, size = Order(corpus.sequences, options.seed), min(options.batch_size, corpus.sequences)
    along = _by_block(adapters)
    parameters = [parameter for own in along.values() for parameter in own]
    optimiser = AdamW(parameters, lr=0.0, weight_decay=0.0) if parameters else None
    logits = torch.zeros(len(units), dtype=torch.float64)
    descent = _Descent(groups)
    # What a unit is worth counts by what it costs: where units are counted, as it is.
    weights = torch.cat([_relative(group) for group in groups])
    losses: list[float] = []
    job.report(PHASE, 0, options.steps, "steps")
    for step in range(options.steps):
        noise = options.noise * (1 - step / options.steps) * gumbel(len(units), generator)
        open_logits = logits.clone().requires_grad_(True)
        with torch.enable_grad():
            mask = top_k(open_logits + noise, groups, options.temperature)
        found = passes.slopes(order.take(step * size, size), _removed(units, mask), along)
        losses.append(found.loss)
        factor = 0.5 * (1 + math.cos(math.pi * step / options.steps))
        if mask.requires_grad:
            (slope,) = torch.autograd.grad(mask, open_logits, found.slopes / weights)
            logits -= options.rate * factor * descent.direction(slope)
        if optimiser is not None and options.lora is not None:
            pull = pulls(adapters, options.lora.orthogonality) if options.lora.orthogonality > 0 else {}
            for parameter in parameters:
                slopes = [own[parameter] for own in (found.gradients, pull) if parameter in own]
                parameter.grad = torch.stack(slopes).sum(0) if slopes else None
            optimiser.param_groups[0]["lr"] = options.lora.rate * factor
            optimiser.step()
        job.report(PHASE, step + 1, options.steps, "steps")
    return logits, losses


def _relative(group: Group) -> Tensor:
    """Of its units the costs by their mean."""
    costs = torch.tensor(group.costs, dtype=torch.float64)
    return costs / costs.mean()


class _Descent:
    """Mean slopes by the size that slopes have had, each group's by its own: a step is about as long whatever
    the loss's scale, and a unit whose gate matters more goes farther. Only differences in a group decide, so
    the slope that all have in common is left out."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = groups
        self._means = [torch.zeros(group.size, dtype=torch.float64) for group in groups]
        self._squares = [0.0] * len(groups)
        self._taken = 0

    def direction(self, slope: Tensor) -> Tensor:
        self._taken += 1
        kept = 1 - MEMORY**self._taken
        parts = []
        for number, group in enumerate(self._groups):
            own = group.of(slope)
            own = own - own.mean()
            self._means[number] = MEMORY * self._means[number] + (1 - MEMORY) * own
            self._squares[number] = MEMORY * self._squares[number] + (1 - MEMORY) * float(own.square().mean())
            size = math.sqrt(self._squares[number] / kept)
            parts.append(self._means[number] / kept / size if size > 0 else torch.zeros_like(own))
        return torch.cat(parts)


def _removed(units: Sequence[Unit], mask: Tensor) -> tuple[Unit, ...]:
    return tuple(sorted(unit for unit, kept in zip(units, mask.tolist(), strict=True) if kept == 0))


@contextmanager
def _beside(decoder: Decoder, options: LearnGatesOptions) -> Iterator[list[Adapter]]:
    """Inside, adapters that change nothing yet stand beside the linear modules that learn along."""
    if options.lora is None:
        yield []
        return
    lora = _lora_options(options.lora)
    where = places(decoder, range(decoder.depth), lora.targets)
    cuda = [device for device in decoder.devices if device.type == "cuda"]
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(options.seed)
        with adapted(decoder, where, lora, lora.alpha or 2.0 * lora.rank) as adapters:
            yield adapters


def _lora_options(lora: GateLora) -> LoraOptions:
    return LoraOptions(rank=lora.rank, alpha=lora.alpha, targets=lora.targets)


def _by_block(adapters: Sequence[Adapter]) -> dict[int, list[nn.Parameter]]:
    found: dict[int, list[nn.Parameter]] = {}
    for adapter in adapters:
        found.setdefault(adapter.place.block, []).extend(adapter.parameters.values())
    return found


def _changes(decoder: Decoder, adapters: Sequence[Adapter], removed: Sequence[Unit]) -> Changes:
    lost = removed_parts(removed, decoder.depth)
    changes: dict[int, dict[str, WeightChange]] = {}
    for adapter in adapters:
        child = adapter.place.name.partition(".")[0]
        own = Parts.ATTENTION if child == decoder.family.attention else Parts.FEED_FORWARD
        if own not in lost[adapter.place.block]:
            changes.setdefault(adapter.place.block, {})[f"{adapter.place.name}.weight"] = adapter.change()
    return changes
