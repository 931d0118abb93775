"""How long a block takes here: what the cost model of splits is fed with."""

from __future__ import annotations

import time
from typing import cast

import torch
from torch import LongTensor

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.subnetworks.splits import Pace

ROUNDS = 3
CPU_BATCHES, GPU_BATCHES = (16, 256), (256, 4096)
"""Tokens of a small batch and of a large one."""


@torch.inference_mode()
def measure_pace(decoder: Decoder) -> Pace:
    """By the block in the middle, on two batches of different sizes; the best of three each, as what else the
    machine does only makes it slower."""
    few, many = CPU_BATCHES if decoder.device.type == "cpu" else GPU_BATCHES
    quick, slow = _seconds(decoder, few), _seconds(decoder, many)
    token = max(0.0, (slow - quick) / (many - few))
    return Pace(max(0.0, quick - few * token), max(token, 1e-12))


def _seconds(decoder: Decoder, tokens: int) -> float:
    length = min(tokens, decoder.context_length or tokens, 256)
    ids = torch.zeros((tokens // length, length), dtype=torch.int64, device=decoder.device)
    replay = decoder.begin(cast("LongTensor", ids))
    middle = decoder.depth // 2
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        float(decoder.run_block(middle, replay.hidden, replay)[0, 0, 0])  # waits for a GPU
        best = min(best, time.perf_counter() - started)
    return best
