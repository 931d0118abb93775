"""Pieces on many devices, on paper: when the last one is done, with stragglers, lost devices and a driver
that hands them out one by one. Seeded; knows neither Ray nor models. `tables.py` feeds it."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Machine:
    """What the devices and the driver are like."""

    devices: int
    spread: float = 0.0
    """Standard deviation of a piece's time, as a share of it."""
    stragglers: float = 0.0
    """The share of devices that are slow."""
    slowness: float = 1.0
    """How many times as long a piece takes there."""
    driver: float = 0.0
    """Seconds of the driver for each piece: to send it, to take its answer and to write it down. One at a
    time."""
    lost_every: float = float("inf")
    """Seconds between two losses of one device, on average."""
    replaced_after: float = 0.0
    """Seconds until another one stands in its place, with the model."""
    start: float = 0.0
    """Seconds until a device has the model at first."""


@dataclass(frozen=True)
class Outcome:
    seconds: float
    """Until the last piece is done and written down."""
    losses: int
    again: float
    """Seconds of pieces that were under way when their device was lost."""


def simulate(pieces: Sequence[float], machine: Machine, seed: int = 0) -> Outcome:
    """Pieces in order, each to the first device that is free."""
    rng = np.random.default_rng(seed)
    slow = np.zeros(machine.devices, dtype=bool)
    slow[: round(machine.stragglers * machine.devices)] = True
    free = [(machine.start, int(device)) for device in rng.permutation(machine.devices)]
    heapq.heapify(free)
    lost_at = rng.exponential(1.0, machine.devices) * machine.lost_every
    waiting = deque(pieces)
    answers: list[float] = []
    """When each piece under way comes back: some wait when no device is free."""
    driver = last = again = 0.0
    losses = 0
    while waiting:
        ready, device = heapq.heappop(free)
        piece = waiting.popleft()
        # What came back before is taken first.
        while answers and answers[0] <= ready:
            driver = max(driver, heapq.heappop(answers)) + machine.driver / 2
        begins = driver = max(driver, ready) + machine.driver / 2
        factor = machine.slowness if slow[device] else 1.0
        noise = max(0.1, 1 + machine.spread * float(rng.standard_normal())) if machine.spread else 1.0
        ends = begins + piece * factor * noise
        if lost_at[device] < ends:
            losses += 1
            again += max(0.0, lost_at[device] - begins)
            back = max(float(lost_at[device]), begins) + machine.replaced_after
            lost_at[device] = back + float(rng.exponential(1.0)) * machine.lost_every
            waiting.appendleft(piece)
            heapq.heappush(free, (back, device))
            continue
        heapq.heappush(free, (ends, device))
        heapq.heappush(answers, ends)
    while answers:
        last = heapq.heappop(answers)
        driver = max(driver, last) + machine.driver / 2
    return Outcome(max(last, driver), losses, again)
