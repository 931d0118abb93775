"""The Shapley approximators of the Python package shapiq on the golden game, for
bench/shapley/golden-game.ts.

    python bench/shapley/shapiq_compare.py TABLE.json SEEDS BUDGET,BUDGET,...

Needs `pip install shapiq lightgbm` (read with shapiq 1.4.1). Prints one JSON object per method and budget:
root-mean-square error of the Shapley values of -min(loss, ln 49152) over seeds and players, and the regret of
the ranking. ProxySPEX fits boosted trees and takes seconds per run, so it gets at most 20 seeds.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from shapiq import approximator as ap

PLAYERS = 10
CAP = np.log(49152)


def methods() -> dict[str, Callable[[int], Any]]:
    """Every approximator that gives Shapley values, with the better of its settings where it has a pairing
    trick."""
    n = PLAYERS
    return {
        "KernelSHAP, paired": lambda s: ap.KernelSHAP(n=n, pairing_trick=True, random_state=s),
        "KernelSHAP": lambda s: ap.KernelSHAP(n=n, random_state=s),
        "UnbiasedKernelSHAP": lambda s: ap.UnbiasedKernelSHAP(n=n, pairing_trick=True, random_state=s),
        "kADD-SHAP, order 2": lambda s: ap.regression.kADDSHAP(n=n, max_order=2, random_state=s),
        "PermutationSamplingSV": lambda s: ap.PermutationSamplingSV(n=n, random_state=s),
        "StratifiedSamplingSV": lambda s: ap.StratifiedSamplingSV(n=n, random_state=s),
        "OwenSamplingSV": lambda s: ap.OwenSamplingSV(n=n, n_anchor_points=5, random_state=s),
        "SVARM": lambda s: ap.SVARM(n=n, pairing_trick=True, random_state=s),
        "ProxySPEX": lambda s: ap.ProxySPEX(n=n, max_order=1, index="SV", random_state=s),
    }


def main() -> None:
    warnings.filterwarnings("ignore")
    path, seeds, budgets = sys.argv[1], int(sys.argv[2]), [int(b) for b in sys.argv[3].split(",")]
    table = json.loads(Path(path).read_text(encoding="utf8"))
    loss = np.array(table["loss"])
    capped = -np.minimum(loss, CAP)
    exact = np.array(table["exact"]["shapley of -min(loss, ln 49152)"])
    powers = 1 << np.arange(PLAYERS)
    asked = 0

    def game(coalitions: ArrayLike) -> NDArray[np.float64]:
        nonlocal asked
        masks = np.atleast_2d(np.asarray(coalitions).astype(int)) @ powers
        asked += len(masks)
        values: NDArray[np.float64] = capped[masks]
        return values

    def regret(values: NDArray[np.float64]) -> float:
        order = np.argsort(values, kind="stable")
        costs = [
            loss[1023 - powers[order[:k]].sum()] - table["best removals"][str(k)][0] for k in range(1, 6)
        ]
        return float(np.mean(costs))

    for name, make in methods().items():
        runs = min(seeds, 20) if name == "ProxySPEX" else seeds
        for budget in budgets:
            squares, regrets, asked = [], [], 0
            try:
                for seed in range(runs):
                    found = make(seed).approximate(budget, game)
                    values = np.array([found[(i,)] for i in range(PLAYERS)])
                    squares.append((values - exact) ** 2)
                    regrets.append(regret(values))
            except Exception as error:  # a failure at one budget is a result of its own
                print(json.dumps({"method": name, "budget": budget, "error": repr(error)[:80]}), flush=True)
                continue
            row = {
                "method": name,
                "budget": budget,
                "rmse": float(np.sqrt(np.mean(squares))),
                "regret": float(np.mean(regrets)),
                "evaluations": asked / runs,
                "seeds": runs,
                "version": version("shapiq"),
            }
            print(json.dumps(row), flush=True)


main()
