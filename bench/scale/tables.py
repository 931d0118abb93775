"""Strong and weak scaling on paper, 1 to 1,024 GPUs, 8B to 405B (docs/scale.md).

The work is cut by the worker's own cost model; `simulate.py` then runs the pieces.

    python tables.py
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from depthkit_worker.subnetworks.executor import Evaluation, Piece
from depthkit_worker.subnetworks.plan import Plan, cost_of_rows, stretches_of
from depthkit_worker.subnetworks.positions import ALL_POSITIONS
from depthkit_worker.subnetworks.splits import Pace, Split, split
from depthkit_worker.subnetworks.steps import Shares, StepCost
from simulate import Machine, simulate

GPU_BYTES = 80e9 * 0.8
RATE = 150e12
"""Multiplications and additions a second, in bf16: what a block of SmolLM2 reached on an H200 with 32,768
tokens (docs/measurements/engine.md). Wider models reach more: pieces are then shorter than here."""
CALL = 0.6e-3
"""Seconds of a block however small the batch: the same table."""
DRIVER = 2e-3
"""Seconds of the driver for a piece: `actors.py` measures it."""
LOAD_BYTES = 2e9
"""Of weights a second, from a shared disk, each actor by itself. Not measured."""
LOST_EVERY = 30 * 24 * 3600.0
"""Seconds: a GPU is lost once a month. Not measured."""
TOKENS, LENGTH = 65_536, 2048
STRONG, WEAK = 4096, 16
COUNTS = (1, 4, 16, 64, 256, 1024)
COST = StepCost(parallel=False, shares=Shares(0.25, 0.75))


@dataclass(frozen=True)
class Model:
    name: str
    parameters: float
    depth: int

    @property
    def gpus(self) -> int:
        """That hold it, in bf16: blocks in one run on each."""
        return math.ceil(2 * self.parameters / GPU_BYTES)

    @property
    def pace(self) -> Pace:
        return Pace(CALL, 2 * self.parameters / self.depth / RATE)


MODELS = (Model("8B", 8e9, 32), Model("70B", 70e9, 80), Model("405B", 405e9, 126))


def walks(model: Model, subnetworks: int) -> NDArray[np.uint8]:
    """Removal walks of Shapley sampling: a random order of the blocks, and what is left after each removal of
    the first half of it."""
    rng = np.random.default_rng(0)
    rows: list[NDArray[np.uint8]] = []
    while len(rows) < subnetworks:
        row = np.zeros(model.depth, dtype=np.uint8)
        for block in rng.permutation(model.depth)[: model.depth // 2]:
            row = row.copy()
            row[block] = 3
            rows.append(row)
    return np.unique(np.stack(rows[:subnetworks]), axis=0)


def cut(model: Model, codes: NDArray[np.uint8], actors: int) -> Split:
    sequences, batch = TOKENS // LENGTH, 16
    evaluation = Evaluation(codes, ("loss",), ALL_POSITIONS)
    pieces = tuple(
        Piece(rows, first, first + batch)
        for rows in stretches_of(codes, 64, 128)
        for first in range(0, sequences, batch)
    )
    walked = sum(cost_of_rows(codes[rows], False, COST).evaluations for rows in stretches_of(codes, 64, 128))
    plan = Plan(pieces, batch, walked * sequences / batch, len(codes) * sequences / batch, 1.0, 8)
    return split(plan, evaluation, COST, LENGTH, model.pace, actors)


def machine(model: Model, actors: int) -> Machine:
    load = 2 * model.parameters / LOAD_BYTES
    return Machine(
        actors,
        spread=0.1,
        stragglers=0.02,
        slowness=1.5,
        driver=DRIVER,
        lost_every=LOST_EVERY / model.gpus,
        replaced_after=60 + load,
    )


def line(*cells: object) -> None:
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def scaling(subnetworks: Callable[[int], int]) -> None:
    """Efficiency: seconds of one actor with nothing in its way, by those of all of them together."""
    line(
        "model", "GPUs", "actors", "subnetworks", "pieces", "sharing lost", "seconds", "losses", "efficiency"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for model in MODELS:
        for gpus in COUNTS:
            actors = gpus // model.gpus
            if actors == 0:
                continue
            count = subnetworks(actors)
            found = cut(model, walks(model, count), actors)
            outcome = simulate(found.each, machine(model, actors))
            efficiency = found.alone / (actors * outcome.seconds)
            lost, seconds = f"{found.sharing_lost:.1%}", f"{outcome.seconds:,.0f}"
            pieces = len(found.pieces)
            line(model.name, gpus, actors, count, pieces, lost, seconds, outcome.losses, f"{efficiency:.0%}")


def troubles() -> None:
    """One trouble at a time, at the widest."""
    model, actors = MODELS[0], 1024
    found = cut(model, walks(model, STRONG), actors)
    quiet = Machine(actors)
    cases = {
        "none": quiet,
        "pieces differ by 10%": replace(quiet, spread=0.1),
        "2% of the devices at two thirds of the pace": replace(quiet, stragglers=0.02, slowness=1.5),
        "2% at a quarter of the pace": replace(quiet, stragglers=0.02, slowness=4),
        "2 ms of the driver per piece": replace(quiet, driver=0.002),
        "10 ms of the driver per piece": replace(quiet, driver=0.01),
        "a device lost per second": replace(quiet, lost_every=actors, replaced_after=68),
    }
    line("trouble", "seconds", "efficiency")
    print("|---|---|---|")
    for name, case in cases.items():
        runs = [simulate(found.each, case, seed).seconds for seed in range(20)]
        seconds = float(np.mean(runs))
        line(name, f"{seconds:.1f}", f"{found.alone / (actors * seconds):.0%}")


def main() -> None:
    print(f"\nstrong scaling: {STRONG} subnetworks\n")
    scaling(lambda _: STRONG)
    print(f"\nweak scaling: {WEAK} subnetworks per actor\n")
    scaling(lambda actors: WEAK * actors)
    print("\none trouble at a time: 8B, 1,024 GPUs, strong\n")
    troubles()


if __name__ == "__main__":
    main()
