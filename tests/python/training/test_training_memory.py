"""JOB3: what training holds does not grow with the corpus."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from msgspec import structs

from depthkit_worker.contract.wire import Objective
from depthkit_worker.memory.peaks import CLEAR, PeakMemory
from depthkit_worker.memory.process import peak_resident_bytes
from depthkit_worker.repair.training.fills import train_fills
from depthkit_worker.session.job import Unattended
from influence.builders import llama
from training.builders import SHORT, base_of, constant, corpus, ignore

LENGTH = 64


@pytest.mark.skipif(sys.platform != "linux" or not CLEAR.exists(), reason="the peak cannot be reset here")
def test_ten_times_the_sequences_take_no_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEPTHKIT_HOME", str(tmp_path))
    decoder = llama()
    stored: list[int] = []

    class Measuring(Unattended):
        def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
            if phase == "training" and done == 0:
                stored.append(
                    sum(path.stat().st_size for path in tmp_path.glob(".teacher.*.partial/new/records"))
                )

    def peak(sequences: int) -> int:
        on = corpus(*[LENGTH] * sequences)
        options = structs.replace(
            SHORT,
            steps=sequences // 16,
            batch_size=16,
            teacher_top=96,
            objective=Objective(kl=1, loss=0.5, hidden=0.5),
        )
        memory = PeakMemory(*decoder.devices)
        before = peak_resident_bytes()
        train_fills(base_of(decoder, on=on), [constant(decoder)], options, Measuring(), ignore)
        return memory.bytes() - before

    peak(64)
    # What else a process does (a thread takes its first arena) adds to a peak at times: the least of three.
    peaks = [(peak(64), peak(640)) for _ in range(3)]
    few, many = (min(sizes) for sizes in zip(*peaks, strict=True))
    difference = stored[2] - stored[1]
    assert difference == 576 * LENGTH * (96 * 6 + 4 + 32 * 4)
    assert many - few < difference / 4
