"""Writing tensors as safetensors files, in shards of bounded size with an index."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from depthkit_worker.export.safetensors_file import stored_bytes, write_tensors
from depthkit_worker.session.job import Job

PHASE = "exporting"
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
MAX_SHARD_BYTES = 1 << 30


@dataclass(frozen=True)
class Written:
    files: tuple[Path, ...]
    bytes: int
    """Of the tensors alone."""
    elements: int


def write_shards(
    tensors: Mapping[str, Tensor], folder: Path, dtype: torch.dtype | None, max_shard_bytes: int, job: Job
) -> Written:
    """Write `tensors` as `dtype`; None: each as it is. Only one tensor is converted at a time, so that a
    model that fills the memory can still be saved."""
    shards = _split(tensors, dtype, max_shard_bytes)
    total, done = sum(stored_bytes(tensor, dtype) for tensor in tensors.values()), 0
    files: list[Path] = []
    places: dict[str, str] = {}
    for number, names in enumerate(shards, start=1):
        file = SINGLE if len(shards) == 1 else f"model-{number:05}-of-{len(shards):05}.safetensors"
        for written in write_tensors({name: tensors[name] for name in names}, folder / file, dtype, job):
            done += written
            job.report(PHASE, done, total, "bytes")
        files.append(folder / file)
        places.update(dict.fromkeys(names, file))
    if len(shards) > 1:
        index = {"metadata": {"total_size": total}, "weight_map": places}
        (folder / INDEX).write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    job.report(PHASE, total, total, "bytes")
    return Written(tuple(files), total, sum(tensor.numel() for tensor in tensors.values()))


def _split(tensors: Mapping[str, Tensor], dtype: torch.dtype | None, max_shard_bytes: int) -> list[list[str]]:
    """Names by shard, in order; a tensor over the limit gets a shard of its own."""
    shards: list[list[str]] = [[]]
    room = max_shard_bytes
    for name, tensor in tensors.items():
        size = stored_bytes(tensor, dtype)
        if shards[-1] and size > room:
            shards.append([])
            room = max_shard_bytes
        shards[-1].append(name)
        room -= size
    return shards
