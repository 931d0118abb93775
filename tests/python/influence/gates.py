"""The loss of a model one of whose units has a gate, by hooks on the model's own forward, and its slope."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from depthkit_worker.models.decoder import Decoder
from influence.builders import random_rows

ROWS = random_rows(9, 6, 9)
_SHARP = ("opt", "nemotron", "persimmon")
"""ReLU, or its square, and norms in the model's own dtype: slopes want a step that crosses few corners."""
CURVED = ("gemma", "ernie4_5", "arcee")
"""Norms in fp32, and a loss that curves or has corners within the usual step."""


def step_of(name: str) -> float:
    """How far a gate is moved to find its slope in fp64."""
    if name in _SHARP:
        return 1e-5
    return 0.005 if name in CURVED else 0.02


def loss_of(model: nn.Module, rows: list[list[int]] = ROWS) -> Tensor:
    """Mean over all tokens predicted, in the model's own forward."""
    total, count = torch.zeros((), dtype=torch.float64), 0
    for row in rows:
        ids = torch.tensor([row])
        logits = model(input_ids=ids, use_cache=False).logits
        total = total + nn.functional.cross_entropy(logits[0, :-1].double(), ids[0, 1:], reduction="sum")
        count += len(row) - 1
    return total / count


@contextmanager
def gated(decoder: Decoder, kind: str, index: int, gate: float) -> Iterator[None]:
    """The unit's update times `gate`, by hooks on the block and its sublayers."""
    block, family = decoder.blocks[index], decoder.family
    seen: dict[str, Tensor] = {}

    def in_front(_module: nn.Module, positional: tuple[Tensor, ...]) -> None:
        seen["x"] = positional[0]

    def behind(_module: nn.Module, positional: tuple[Any, ...], output: Any) -> Any:
        update = output[0] if isinstance(output, tuple) else output
        before: Any = 0.0
        if kind == "block":
            before = seen["x"]
        elif family.attention_adds_residual if kind == "attention" else family.feed_forward_adds_residual:
            before = positional[1]
        result = before + gate * (update - before)
        return (result, *output[1:]) if isinstance(output, tuple) else result

    module = {"block": "", "attention": family.attention, "feed-forward": family.feed_forward[-1]}[kind]
    handles = [
        block.register_forward_pre_hook(in_front),
        block.get_submodule(module).register_forward_hook(behind),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def slope(value_at: Callable[[float], float], step: float) -> float:
    """The derivative at 0 by four central differences: the library norms in fp32, so that a small step
    drowns."""
    one, two = (value_at(near) - value_at(-near) for near in (step, 2 * step))
    return (8 * one - two) / (12 * step)
