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
from depthkit_worker.selection.top_k import Group, gumbel, top_k
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from influence.builders import corpus_of, llama, random_rows
from influence.gates import loss_of

ROWS = random_rows(24, 24, 24, 24)
BLOCKS = tuple(f"block.{index}" for index in range(6))
SUBLAYERS = tuple(f"{kind}.{index}" for kind in ("attention", "feed-forward") for index in range(6))


def learn(decoder: Decoder, *groups: GateGroup, **options: object) -> LearnedGates:
    given = LearnGatesOptions(**{"steps": 30, "batch_size": 2, **options})  # type: ignore[arg-type]
    return learn_gates(decoder, corpus_of(ROWS), groups, given, Unattended())


def loss_without(decoder: Decoder, units: tuple[Unit, ...]) -> float:
    with removed(Subnetwork(decoder, units)), torch.no_grad():
        return float(loss_of(decoder.model, ROWS))


@pytest.mark.parametrize("remove", [1, 3, 5, 6])
def test_a_mask_has_the_asked_count_whatever_is_drawn(remove: int) -> None:
    generator = torch.Generator().manual_seed(1)
    groups = [Group(0, 6, remove), Group(6, 4, 2)]
    for _ in range(200):
        logits = torch.randn(10, dtype=torch.float64, generator=generator).requires_grad_(True)
        mask = top_k(logits + gumbel(10, generator), groups, 0.7)
        assert set(mask.tolist()) <= {0.0, 1.0}
        assert [float(group.of(mask.detach()).sum()) for group in groups] == [6 - remove, 2]


def test_ties_go_in_order_and_the_slope_is_the_soft_masks() -> None:
    logits = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    mask = top_k(logits, [Group(0, 4, 2)], 0.5)
    assert mask.tolist() == [0, 0, 1, 1]
    (slope,) = torch.autograd.grad(mask, logits, torch.tensor([1.0, 2.0, 0.0, -1.0], dtype=torch.float64))
    # At the threshold a sigmoid's slope is a quarter, by the temperature.
    assert slope.tolist() == [0.5, 1.0, 0.0, -0.5]


def test_draws_are_gumbels_without_replacement() -> None:
    """The k largest of logits with noise: the first is drawn as softmax of the logits says."""
    generator, logits = torch.Generator().manual_seed(2), torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64)
    draws = torch.stack([top_k(logits + gumbel(3, generator), [Group(0, 3, 2)], 1.0) for _ in range(4000)])
    torch.testing.assert_close(draws.mean(0), logits.softmax(0), rtol=0, atol=0.03)


def test_blocks_that_do_nothing_are_what_goes() -> None:
    decoder = llama(identity=(2, 4))
    dense = loss_without(decoder, ())
    found = learn(decoder, GateGroup(units=BLOCKS, remove=2), steps=40)
    assert found.loss == pytest.approx(loss_without(decoder, found.removed), abs=1e-5)
    if set(map(str, found.removed)) != {"block.2", "block.4"}:
        # A random model may be better without a block than with it.
        assert found.loss < dense


def test_what_is_learned_is_in_the_better_half_of_all_sets() -> None:
    """Of a random model, whose losses are close to each other; a real one is in docs/search.md."""
    decoder = llama()
    found = learn(decoder, GateGroup(units=BLOCKS, remove=2), steps=60)
    sets = itertools.combinations([Unit("block", index) for index in range(6)], 2)
    losses = sorted(loss_without(decoder, pair) for pair in sets)
    assert found.loss <= losses[len(losses) // 2] + 1e-6


def test_groups_keep_their_counts_and_the_gated_loss_is_the_models() -> None:
    decoder = llama()
    groups = (GateGroup(units=SUBLAYERS[:6], remove=2), GateGroup(units=SUBLAYERS[6:], remove=1))
    before = weights_checksum(decoder)
    found = learn(decoder, *groups, steps=10)
    assert sorted(unit.kind for unit in found.removed) == ["attention", "attention", "feed-forward"]
    assert found.loss == pytest.approx(loss_without(decoder, found.removed), abs=1e-5)
    assert found.losses.shape == (10,) and found.logits.shape == (12,)
    assert weights_checksum(decoder) == before


def test_a_seed_gives_the_same_and_another_another() -> None:
    decoder, group = llama(), GateGroup(units=BLOCKS, remove=2)
    first, again, other = (learn(decoder, group, steps=8, seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.logits, again.logits)
    np.testing.assert_array_equal(first.losses, again.losses)
    assert not np.array_equal(first.logits, other.logits)


def test_lora_learns_along_and_merges_into_what_stays() -> None:
    decoder, group = llama(), GateGroup(units=BLOCKS, remove=2)
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


def test_random_numbers_of_others_are_left_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    learn(llama(), GateGroup(units=BLOCKS, remove=1), steps=2, lora=GateLora(rank=2))
    torch.manual_seed(7)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([GateGroup(units=BLOCKS, remove=7)], "7 of 6"),
        ([GateGroup(units=("block.6",), remove=1)], "no block.6"),
        (
            [GateGroup(units=("block.1",), remove=1), GateGroup(units=("block.1",), remove=1)],
            "more than once",
        ),
        ([GateGroup(units=("attention.1", "block.1"), remove=1)], "whole block"),
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
        learn_gates(decoder, corpus_of(ROWS), [GateGroup(units=BLOCKS, remove=1)], options, Stopped())
    assert list(decoder.model.modules()) == modules
