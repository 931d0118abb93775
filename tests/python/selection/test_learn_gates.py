"""Gates that are learned: the count at every step, what is found, seeds, LoRA, and a model left as it was."""

from __future__ import annotations

import itertools
import json
import threading

import numpy as np
import pytest
import torch

from depthkit_worker.contract.wire import GateGroup, GateLora, LearnGatesOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.repair import BlockEdit
from depthkit_worker.repair.storage import make_repair
from depthkit_worker.selection.learn_gates import LearnedGates, learn_gates
from depthkit_worker.selection.orthogonality import departure
from depthkit_worker.selection.top_k import Group, gumbel, top_k
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from influence.builders import corpus_of, llama, random_rows
from influence.gates import loss_of

ROWS = random_rows(24, 24, 24, 24)
BLOCKS = tuple(f"block.{index}" for index in range(6))
SUBLAYERS = tuple(f"{kind}.{index}" for kind in ("attention", "feed-forward") for index in range(6))


def group_of(units: tuple[str, ...], remove: int) -> GateGroup:
    """So many of the units go."""
    return GateGroup(units=units, costs=(1.0,) * len(units), amount=float(remove))


def learn(decoder: Decoder, *groups: GateGroup, **options: object) -> LearnedGates:
    given = LearnGatesOptions(**{"steps": 30, "batch_size": 2, **options})  # type: ignore[arg-type]
    return learn_gates(decoder, corpus_of(ROWS), groups, given, Unattended())


def loss_without(decoder: Decoder, units: tuple[Unit, ...]) -> float:
    with removed(Subnetwork(decoder, units)), torch.no_grad():
        return float(loss_of(decoder.model, ROWS))


@pytest.mark.parametrize("remove", [1, 3, 5, 6])
def test_a_mask_has_the_asked_count_whatever_is_drawn(remove: int) -> None:
    generator = torch.Generator().manual_seed(1)
    groups = [Group(0, (1.0,) * 6, remove), Group(6, (1.0,) * 4, 2)]
    for _ in range(200):
        logits = torch.randn(10, dtype=torch.float64, generator=generator).requires_grad_(True)
        mask = top_k(logits + gumbel(10, generator), groups, 0.7)
        assert set(mask.tolist()) <= {0.0, 1.0}
        assert [float(group.of(mask.detach()).sum()) for group in groups] == [6 - remove, 2]


def test_at_least_the_amount_goes_and_no_unit_without_need() -> None:
    generator, costs = torch.Generator().manual_seed(3), (5.0, 3.0, 2.0, 2.0, 1.0)
    group = Group(0, costs, 6.0)
    for _ in range(200):
        logits = torch.randn(5, dtype=torch.float64, generator=generator)
        going = {place for place, kept in enumerate(top_k(logits, [group], 1.0).tolist()) if kept == 0}
        assert sum(costs[place] for place in going) >= 6
        for place in going:
            assert sum(costs[other] for other in going - {place}) < 6
    # 1, 2 and 5 in turn: with 5 gone 1 is enough beside it, and 2, the greater logit, comes back.
    logits = torch.tensor([3.0, 9.0, 2.0, 9.0, 1.0], dtype=torch.float64)
    assert top_k(logits, [group], 1.0).tolist() == [0, 1, 1, 1, 0]


def test_ties_go_in_order_and_the_slope_is_the_soft_masks() -> None:
    logits = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    mask = top_k(logits, [Group(0, (1.0,) * 4, 2)], 0.5)
    assert mask.tolist() == [0, 0, 1, 1]
    (slope,) = torch.autograd.grad(mask, logits, torch.tensor([1.0, 2.0, 0.0, -1.0], dtype=torch.float64))
    # At the threshold a sigmoid's slope is a quarter, by the temperature.
    assert slope.tolist() == [0.5, 1.0, 0.0, -0.5]


def test_draws_are_gumbels_without_replacement() -> None:
    """The k largest of logits with noise: the first is drawn as softmax of the logits says."""
    generator, logits = torch.Generator().manual_seed(2), torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64)
    group = Group(0, (1.0,) * 3, 2)
    draws = torch.stack([top_k(logits + gumbel(3, generator), [group], 1.0) for _ in range(4000)])
    torch.testing.assert_close(draws.mean(0), logits.softmax(0), rtol=0, atol=0.03)


def test_blocks_that_do_nothing_are_what_goes() -> None:
    decoder = llama(identity=(2, 4))
    dense = loss_without(decoder, ())
    found = learn(decoder, group_of(BLOCKS, 2), steps=40)
    assert found.loss == pytest.approx(loss_without(decoder, found.removed), abs=1e-5)
    if set(map(str, found.removed)) != {"block.2", "block.4"}:
        # A random model may be better without a block than with it.
        assert found.loss < dense


def test_what_is_learned_is_in_the_better_half_of_all_sets() -> None:
    """Of a random model, whose losses are close to each other; a real one is in docs/search.md."""
    decoder = llama()
    found = learn(decoder, group_of(BLOCKS, 2), steps=60)
    sets = itertools.combinations([Unit("block", index) for index in range(6)], 2)
    losses = sorted(loss_without(decoder, pair) for pair in sets)
    assert found.loss <= losses[len(losses) // 2] + 1e-6


def test_groups_keep_their_counts_and_the_gated_loss_is_the_models() -> None:
    decoder = llama()
    groups = (group_of(SUBLAYERS[:6], 2), group_of(SUBLAYERS[6:], 1))
    before = weights_checksum(decoder)
    found = learn(decoder, *groups, steps=10)
    assert sorted(unit.kind for unit in found.removed) == ["attention", "attention", "feed-forward"]
    assert found.loss == pytest.approx(loss_without(decoder, found.removed), abs=1e-5)
    assert found.losses.shape == (10,) and found.logits.shape == (12,)
    assert weights_checksum(decoder) == before


def test_one_budget_over_both_kinds_by_cost() -> None:
    """With the dear kind three times as dear, and blocks 2 and 4 doing nothing: all four sublayers of theirs
    are what an amount of their cost lets go, dear or not."""
    decoder = llama(identity=(2, 4))
    costs = tuple(3.0 if name.startswith("attention") else 1.0 for name in SUBLAYERS)
    found = learn(decoder, GateGroup(units=SUBLAYERS, costs=costs, amount=7.0), steps=20)
    cost = dict(zip(SUBLAYERS, costs, strict=True))
    gone = [cost[str(unit)] for unit in found.removed]
    assert sum(gone) >= 7 > sum(gone) - min(gone)
    assert found.loss == pytest.approx(loss_without(decoder, found.removed), abs=1e-5)


def test_what_a_unit_is_worth_counts_by_its_cost() -> None:
    """Of two units the one that costs more goes first where their slopes are alike."""
    decoder, units = llama(identity=(2, 4)), ("block.2", "block.4")
    for costs, expected in (((1.0, 1.5), "block.4"), ((1.5, 1.0), "block.2")):
        found = learn(decoder, GateGroup(units=units, costs=costs, amount=1.2), steps=4, noise=0.0)
        assert [str(unit) for unit in found.removed] == [expected]


def test_a_seed_gives_the_same_and_another_another() -> None:
    decoder, group = llama(), group_of(BLOCKS, 2)
    first, again, other = (learn(decoder, group, steps=8, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.logits, again.logits)
    np.testing.assert_array_equal(first.losses, again.losses)
    assert not np.array_equal(first.logits, other.logits)


def test_lora_learns_along_and_merges_into_what_stays() -> None:
    decoder, group = llama(), group_of(BLOCKS, 2)
    before = weights_checksum(decoder)
    lora = GateLora(rank=4, targets=("attention", "feed-forward"), rate=5e-3)
    found = learn(decoder, group, lora=lora)
    bare = loss_without(decoder, found.removed)
    assert found.loss < bare
    assert not {unit.index for unit in found.removed} & found.changes.keys()
    edits = {index: BlockEdit(weights=weights) for index, weights in found.changes.items()}
    repair = make_repair(decoder, "lora", found.removed, edits, json.dumps({}))
    with removed(Subnetwork(decoder, found.removed, (repair,))), torch.no_grad():
        assert float(loss_of(decoder.model, ROWS)) == pytest.approx(found.loss, abs=1e-5)
    assert weights_checksum(decoder) == before
    again = learn(decoder, group, lora=lora)
    np.testing.assert_array_equal(found.losses, again.losses)


def test_directions_that_are_pulled_apart_end_nearer_to_right_angles() -> None:
    decoder, group = llama(), group_of(BLOCKS, 2)
    free, held = (
        learn(decoder, group, lora=GateLora(rank=4, rate=5e-3, orthogonality=weight))
        for weight in (0.0, 10.0)
    )
    assert free.departures is not None and held.departures is not None
    assert free.departures[0] == held.departures[0]
    assert held.departures[1] < 0.5 * min(free.departures)
    with pytest.raises(DepthkitError, match="LoRA of rank 1 reads one direction"):
        learn(decoder, group, lora=GateLora(rank=1, orthogonality=1.0))


@pytest.mark.parametrize("rank", [2, 5])
def test_a_departure_is_0_at_right_angles_and_greatest_where_all_are_one(rank: int) -> None:
    directions = torch.linalg.qr(torch.randn(9, rank, generator=torch.Generator().manual_seed(0))).Q.T
    assert float(departure(7 * directions)) == pytest.approx(0, abs=1e-6)
    assert float(departure(directions[:1].expand(rank, -1))) == pytest.approx(rank - 1, abs=1e-5)
    longer = directions * torch.linspace(1, 2, rank)[:, None]
    lengths = torch.linspace(1, 2, rank).square()
    expected = float((rank * lengths / lengths.sum() - 1).square().mean())
    assert float(departure(longer)) == pytest.approx(expected, abs=1e-5)


def test_random_numbers_of_others_are_left_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    learn(llama(), group_of(BLOCKS, 1), steps=2, lora=GateLora(rank=2))
    torch.manual_seed(7)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([group_of(BLOCKS, 7)], "7 of 6"),
        ([group_of(("block.6",), 1)], "no block.6"),
        (
            [group_of(("block.1",), 1), group_of(("block.1",), 1)],
            "more than once",
        ),
        ([group_of(("attention.1", "block.1"), 1)], "whole block"),
    ],
)
def test_groups_that_cannot_be_are_refused(groups: list[GateGroup], words: str) -> None:
    with pytest.raises(DepthkitError, match=words) as caught:
        learn(llama(), *groups)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_a_cancel_ends_it_and_leaves_the_model_as_it_was() -> None:
    class Stopped(Unattended):
        def __init__(self) -> None:
            self.stop = threading.Event()

        def check(self) -> None:
            if self.stop.is_set():
                raise cancelled()

        def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
            assert (phase, total, unit) == ("learning gates", 1000, "steps")
            if done == 2:
                self.stop.set()

    decoder = llama()
    modules = list(decoder.model.modules())
    options = LearnGatesOptions(steps=1000, lora=GateLora())
    with pytest.raises(DepthkitError, match="cancelled"):
        learn_gates(decoder, corpus_of(ROWS), [group_of(BLOCKS, 1)], options, Stopped())
    assert list(decoder.model.modules()) == modules
