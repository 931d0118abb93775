"""The trie level by level, many states in one call: for a GPU with little text.

A block takes 512 tokens on a GPU in hardly less time than 4,096, so states of different subnetworks that need
the same of a block go through it together. All states of a level are kept, which little text allows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from depthkit_worker.models.stacked_replay import StackedReplay
from depthkit_worker.subnetworks.masks import NEITHER
from depthkit_worker.subnetworks.steps import Stepper
from depthkit_worker.subnetworks.trie import Branch, Spend, Trie


@dataclass(frozen=True)
class _Node:
    """A branch with the state (batch, sequence, hidden) in front of it."""

    first: int
    end: int
    state: Tensor


def walk_levels(
    trie: Trie, stepper: Stepper, replay: StackedReplay, spend: Spend
) -> Iterator[tuple[int, Tensor]]:
    """As `walk`, with up to `replay.copies` states per call. The reference comes first."""
    level = [_Node(0, len(trie.codes), replay.one.hidden)]
    for depth in range(trie.depth):
        branches = [trie.branches(node.first, node.end, depth) for node in level]
        states = _run(depth, level, branches, stepper, replay, spend)
        level = [
            _Node(branch.first, branch.end, of_node[branch.code])
            for of_node, of_branches in zip(states, branches, strict=True)
            for branch in of_branches
        ]
    for node in sorted(level, key=lambda node: node.first != trie.reference):
        yield node.first, node.state


def _run(
    depth: int,
    level: list[_Node],
    branches: list[list[Branch]],
    stepper: Stepper,
    replay: StackedReplay,
    spend: Spend,
) -> list[dict[int, Tensor]]:
    """For each node of `level`, its states behind block `depth` by code."""
    states: list[dict[int, Tensor]] = [{NEITHER: node.state} for node in level]
    alike: dict[frozenset[int], list[int]] = {}
    for place, of_node in enumerate(branches):
        needed = frozenset(branch.code for branch in of_node) - {NEITHER}
        if needed:
            alike.setdefault(needed, []).append(place)
    for codes, places in alike.items():
        for start in range(0, len(places), replay.copies):
            together = places[start : start + replay.copies]
            x = torch.cat([level[place].state for place in together])
            found = stepper.run(depth, x, codes, replay.of(len(together)))
            for code, y in found.items():
                for place, state in zip(together, y.chunk(len(together)), strict=True):
                    states[place][code] = state
            for _ in together:
                spend(depth, codes)
    return states
