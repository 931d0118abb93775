"""Hadamard matrices: entries 1 and -1, rows at right angles.

Of order q + 1 (q a prime, 3 modulo 4) and 2 (q + 1) (q a prime, 1 modulo 4) by Paley's two constructions, and
of these orders and 1 times a power of two by Sylvester's doubling. That covers the hidden sizes in use: 576
is 36 x 16 with 36 = 2 (17 + 1), 768 is 12 x 64, 4544 is 284 x 16.
"""

from __future__ import annotations

import torch
from torch import Tensor

from depthkit_worker.errors import DepthkitError


def hadamard(order: int) -> Tensor:
    """fp64 (order, order) with H H' = order I."""
    matrix = _hadamard(order)
    if matrix is None:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"No Hadamard matrix of order {order} is known here, and the patch repair turns the stream, "
            f"{order} wide, by one. Orders that work are 1, q + 1 for a prime q that is 3 modulo 4, and 2 (q "
            "+ 1) for one that is 1 modulo 4, each times a power of two. Repair with emulated-update or "
            "low-rank instead.",
            order=order,
        )
    return matrix


def _hadamard(order: int) -> Tensor | None:
    if order < 1:
        return None
    doublings = (order & -order).bit_length() - 1
    for times in range(doublings, -1, -1):
        core = _core(order >> times)
        if core is not None:
            for _ in range(times):
                core = torch.cat([torch.cat([core, core], 1), torch.cat([core, -core], 1)])
            return core
    return None


def _core(order: int) -> Tensor | None:
    if order == 1:
        return torch.ones(1, 1, dtype=torch.float64)
    if order % 4 == 0 and _is_prime(order - 1):  # and so order - 1 is 3 modulo 4
        return torch.eye(order, dtype=torch.float64) + _bordered(order - 1, -1)
    q = order // 2 - 1
    if order % 4 == 0 and q % 4 == 1 and _is_prime(q):
        # A symmetric conference matrix, each entry and each zero of the diagonal a 2 x 2 matrix.
        entry = torch.tensor([[1, 1], [1, -1]], dtype=torch.float64)
        diagonal = torch.tensor([[1, -1], [-1, -1]], dtype=torch.float64)
        return torch.kron(_bordered(q, 1), entry) + torch.kron(
            torch.eye(q + 1, dtype=torch.float64), diagonal
        )
    return None


def _bordered(q: int, sign: int) -> Tensor:
    """[[0, 1 ... 1], [sign, Q]] with Q_ij = 1 where i - j is a square modulo q, -1 where not, 0 where i =
    j."""
    squares = {number * number % q for number in range(1, q)}
    row = torch.tensor([0] + [1 if number in squares else -1 for number in range(1, q)], dtype=torch.float64)
    numbers = torch.arange(q)
    matrix = torch.zeros(q + 1, q + 1, dtype=torch.float64)
    matrix[0, 1:] = 1
    matrix[1:, 0] = sign
    matrix[1:, 1:] = row[(numbers[:, None] - numbers) % q]
    return matrix


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))
