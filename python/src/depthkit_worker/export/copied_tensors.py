"""Tensors of a checkpoint's files as they are, to be written again byte for byte."""

from __future__ import annotations

from safetensors import safe_open
from torch import Tensor

from depthkit_worker.models.stored_weights import StoredWeights


def mapped_tensors(stored: StoredWeights) -> dict[str, Tensor]:
    """All that safetensors files hold, by their names there; they lie in the mapped files."""
    found: dict[str, Tensor] = {}
    for path in stored.files:
        with safe_open(path, framework="pt") as file:
            found.update({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    return found
