"""The kernel of the head against logits in fp64: on a GPU, and without one in Triton's interpreter.

The interpreter has no product of bf16 numbers, so fp32's pieces are handed to it in fp32, which holds them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("triton", reason="Triton has no build for this platform", exc_type=ImportError)

from depthkit_worker.subnetworks.head import LogitChanges
from depthkit_worker.subnetworks.head_kernel import COLUMNS, ROWS, pieces_of, tile_sums
from depthkit_worker.subnetworks.head_sums import Sums, divergence

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PLAIN = LogitChanges(None, None, None)


def logits_in_fp64(state: Tensor, weight: Tensor, bias: Tensor | None, changes: LogitChanges) -> Tensor:
    """As a model with this dtype has them: every step rounded to it."""
    dtype = state.dtype
    y = torch.nn.functional.linear(state.double(), weight.double(), None if bias is None else bias.double())
    y = y.to(dtype)
    if changes.multiplier is not None:
        y = y * changes.multiplier
    if changes.divisor is not None:
        y = y / changes.divisor
    if changes.softcap is not None:
        y = (y / changes.softcap).tanh() * changes.softcap
    return y.double()


def by_kernel(
    states: Tensor, weight: Tensor, bias: Tensor | None, changes: LogitChanges, targets: Tensor, compare: bool
) -> list[Sums]:
    pieces = pieces_of(weight)
    if len(pieces) > 1 and DEVICE == "cpu":
        pieces = pieces.float()
    return tile_sums(states, pieces, bias, changes, targets, compare=compare)


@pytest.mark.parametrize(
    ("dtype", "changes", "bias"),
    [
        (torch.float32, PLAIN, False),
        (torch.float32, LogitChanges(0.5, None, 30.0), True),
        (torch.float16, PLAIN, False),
        (torch.float16, LogitChanges(None, 3.0, None), True),
    ],
)
def test_sums_are_those_of_the_logits(dtype: torch.dtype, changes: LogitChanges, bias: bool) -> None:
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(DEVICE, dtype)

    # Neither rows nor columns nor the hidden size fill their tiles.
    rows, vocabulary, hidden = ROWS + 3, 2 * COLUMNS + 5, 70
    states, weight = drawn(3, rows, hidden), drawn(vocabulary, hidden)
    added = drawn(vocabulary) if bias else None
    targets = torch.randint(vocabulary, (rows,), generator=generator).to(DEVICE)
    exact = [logits_in_fp64(state, weight, added, changes) for state in states]
    # In fp16 a sum that is added in another order may be rounded the other way.
    tolerance = 4e-6 if dtype == torch.float32 else 2e-2
    z = exact[0]
    found = by_kernel(states, weight, added, changes, targets, compare=True)
    for sums, y in zip(found, exact, strict=True):
        log_sum = sums.log_sum()
        scale = float(y.abs().max())
        torch.testing.assert_close(log_sum, y.logsumexp(1), rtol=0, atol=tolerance * scale / 8)
        assert sums.target is not None and sums.squares is not None
        torch.testing.assert_close(
            sums.target.double(), y.gather(1, targets[:, None])[:, 0], rtol=0, atol=tolerance * scale / 8
        )
        torch.testing.assert_close(
            sums.squares.double().sum(0).sqrt(), (z - y).norm(dim=1), rtol=0, atol=tolerance * scale
        )
        kl = (z.softmax(1) * (z.log_softmax(1) - y.log_softmax(1))).sum(1)
        torch.testing.assert_close(divergence(sums, found[0], log_sum), kl, rtol=0, atol=tolerance * scale)
    alone = by_kernel(states, weight, added, changes, targets, compare=False)
    for sums, together in zip(alone, found, strict=True):
        torch.testing.assert_close(sums.log_sum(), together.log_sum(), rtol=1e-6, atol=0)


def test_fp32_is_the_sum_of_its_pieces() -> None:
    values = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * torch.logspace(-20, 20, 1000)
    pieces = pieces_of(values)
    assert torch.equal(pieces.double().sum(0), values.double())
    assert pieces.dtype == torch.bfloat16 and len(pieces) == 3


@pytest.mark.parametrize("broken", [float("nan"), float("inf")])
def test_broken_numbers_are_in_the_sums_of_their_row_alone(broken: float) -> None:
    generator = torch.Generator().manual_seed(0)
    states = torch.randn((1, 5, 32), generator=generator).to(DEVICE)
    states[0, 2, 7] = broken
    weight = torch.randn((COLUMNS + 1, 32), generator=generator).to(DEVICE)
    targets = torch.zeros(5, dtype=torch.int64, device=DEVICE)
    (sums,) = by_kernel(states, weight, None, PLAIN, targets, compare=False)
    np.testing.assert_array_equal(sums.log_sum().isfinite().cpu().numpy(), [True, True, False, True, True])


COMPILE = """
import sys
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from depthkit_worker.subnetworks.head_kernel import COLUMNS, COMPARED_COLUMNS, ROWS, STAGES, STEP, WARPS
from depthkit_worker.subnetworks.head_triton import tile_sums

kinds = {"targets": "*i64", "count": "i32", "rows": "i32", "vocabulary": "i32", "hidden": "i32",
         "multiplier": "fp32", "divisor": "fp32", "softcap": "fp32"}
variants = ((80, "fp16", 1, False), (90, "bf16", 6, False), (90, "bf16", 1, True))
for capability, dtype, pairs, compare in variants:
    constants = {"PAIRS": pairs, "ROUND": pairs == 1, "EVEN": True, "BIAS": compare, "MULTIPLIER": compare,
                 "DIVISOR": False, "SOFTCAP": compare, "COMPARE": compare, "ROWS": ROWS, "STEP": STEP,
                 "COLUMNS": COMPARED_COLUMNS if compare else COLUMNS, "NEIGHBOURS": 8}
    if not compare:
        constants |= {"bias": None, "differences": None, "squares": None}
    kinds |= dict.fromkeys(("states", "weight", "bias"), "*" + dtype)
    signature = {name: "constexpr" if name in constants else kinds.get(name, "*fp32")
                 for name in tile_sums.arg_names}
    places = {(tile_sums.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=tile_sums, signature=signature, constexprs=places)
    made = compile(source, target=GPUTarget("cuda", capability, 32),
                   options={"num_warps": WARPS, "num_stages": STAGES})
    assert made.metadata.shared <= 163 << 10, "more shared memory than an A100's program can have"
    print(capability, dtype, compare, len(made.asm["cubin"]))
"""


def test_it_compiles_for_gpus_that_are_not_here(tmp_path: Path) -> None:
    environment = os.environ | {"TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    ran = subprocess.run(
        [sys.executable, "-c", COMPILE], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert len(ran.stdout.splitlines()) == 3
