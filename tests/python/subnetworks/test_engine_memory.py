"""What the engine keeps, what it computes, and what it does when memory runs out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import weakref
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import LlamaConfig

from depthkit_worker.contract.wire import EngineOptions
from depthkit_worker.models.decoder import Decoder, Replay
from depthkit_worker.models.families import FAMILIES
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.executor import Evaluation
from depthkit_worker.subnetworks.masks import Subnetworks, block_codes
from depthkit_worker.subnetworks.plan import make_plan
from depthkit_worker.subnetworks.positions import ALL_POSITIONS
from depthkit_worker.subnetworks.steps import Shares, StepCost, Stepper, step_cost
from depthkit_worker.subnetworks.trie import Trie, walk, walk_cost
from subnetworks.physical import corpus_of
from tiny import DEPTH, SHAPE, random_model, tiny_model, token_ids

BLOCKS = tuple(Unit("block", index) for index in range(DEPTH))
SUBLAYERS = tuple(Unit(kind, index) for index in range(DEPTH) for kind in UNIT_KINDS[1:])


def distinct_codes(
    rows: int, units: tuple[Unit, ...], depth: int = DEPTH, seed: int = 0
) -> NDArray[np.uint8]:
    kept = np.random.default_rng(seed).random((rows, len(units))) < 0.7
    return np.unique(block_codes(Subnetworks(units, kept), depth, FAMILIES["llama"]).codes, axis=0)


class _Counting(Stepper):
    """Counts the states that are alive after every step, and the blocks that were run."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__(decoder)
        self.alive: set[int] = set()
        self.most = 0
        self.runs = 0

    def run(self, index: int, x: Tensor, codes: Collection[int], replay: Replay) -> dict[int, Tensor]:
        states = super().run(index, x, codes, replay)
        self.runs += 0 in codes
        for state in [x, *states.values()]:
            if id(state) not in self.alive:
                self.alive.add(id(state))
                weakref.finalize(state, self.alive.discard, id(state))
        self.most = max(self.most, len(self.alive))
        return states


@pytest.mark.parametrize("units", [BLOCKS, SUBLAYERS])
@pytest.mark.parametrize("reference", [None, 0])
@torch.inference_mode()
def test_no_more_states_are_kept_than_planned(units: tuple[Unit, ...], reference: int | None) -> None:
    codes = distinct_codes(200, units)
    decoder = Decoder(tiny_model("llama"))
    counting = _Counting(decoder)
    trie = Trie(codes, reference)
    rows = []
    for row, state in walk(trie, counting, decoder.begin(token_ids(1, 4)), lambda *_: None):
        rows.append(row)
        del state
    assert sorted(rows) == list(range(len(codes)))
    planned = walk_cost(trie, step_cost(decoder, ()))
    assert counting.most <= planned.states
    if units == BLOCKS:
        # A block is run once for every distinct set of blocks kept up to and with it.
        expected = sum(
            len({row[: index + 1].tobytes() for row in codes if row[index] == 0}) for index in range(DEPTH)
        )
        assert counting.runs == planned.evaluations == expected


COST = StepCost(parallel=False, shares=Shares(0.4, 0.6))


def test_states_grow_with_the_logarithm_of_the_subnetworks() -> None:
    depth = 60
    units = tuple(Unit("block", index) for index in range(depth))
    kept: dict[int, int] = {}
    for rows in (256, 2048):
        trie = Trie(distinct_codes(rows, units, depth))
        kept[rows] = walk_cost(trie, COST).states
        assert kept[rows] <= np.log2(rows) + 5
    walks = Trie(np.tril(np.ones((depth, depth), dtype=np.uint8) * 3)[::-1].copy())
    assert walk_cost(walks, COST).states <= 5
    assert kept[2048] - kept[256] <= 4


def test_a_smaller_budget_makes_smaller_batches() -> None:
    decoder = Decoder(tiny_model("llama"))
    corpus = corpus_of(list(token_ids(16, 64)))
    evaluation = Evaluation(distinct_codes(50, BLOCKS), ("loss",), ALL_POSITIONS)
    sizes = [
        make_plan(decoder, corpus, evaluation, None, budget).batch_size for budget in (1, 1 << 20, 1 << 30)
    ]
    assert sizes == sorted(sizes) and sizes[0] == 1 and sizes[-1] == 8, sizes
    assert len(make_plan(decoder, corpus, evaluation, None, 1).pieces) == 16


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on a process's memory is set in Linux's way")
def test_out_of_memory_halves_the_batch_and_goes_on() -> None:
    """Allocations fail for real, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", "from subnetworks.test_engine_memory import starve; starve(megabytes=8)"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    little, whole = json.loads(run.stdout.splitlines()[-1])
    assert whole["notes"] == []
    assert little["notes"][0].startswith("out of memory with 64 sequences per batch; went on with "), little
    assert little["counts"] == whole["counts"] == [64 * 255, 64 * 256]
    np.testing.assert_allclose(little["values"], whole["values"], rtol=1e-5)


def starve(megabytes: int) -> None:
    """Runs in the child: the same evaluation twice, first with so much memory beside what is in use."""
    import resource

    torch.set_num_threads(1)
    decoder = Decoder(random_model(LlamaConfig(**SHAPE | {"vocab_size": 1024, "hidden_size": 64})))
    request = Subnetworks(BLOCKS[:3], ~np.eye(3, dtype=np.bool_))
    corpus = corpus_of(list(token_ids(64, 256, 1024, seed=3)))
    found: list[dict[str, object]] = []

    def evaluate(size: int) -> None:
        options = EngineOptions(batch_size=size)
        result = evaluate_subnetworks(decoder, corpus, request, ("loss", "kl"), options, Unattended())
        found.append({"values": result.values.tolist(), "notes": result.notes, "counts": result.counts})

    for size in (1, 2, 4, 8, 16, 32):  # Code for these shapes may be made, and is kept.
        evaluate(size)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (megabytes << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    evaluate(64)
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    evaluate(64)
    print(json.dumps(found[-2:]))
