"""What actors are at, and something that is done to them while they work."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import ModelOptions
from depthkit_worker.session.job import Unattended
from tiny import DEPTH, t_llama

OPTIONS = ModelOptions(device="cpu", dtype="float32")


def saved(folder: Path, tokenizer: PreTrainedTokenizerBase, depth: int = DEPTH) -> Path:
    t_llama(depth).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class Meddling(Unattended):
    """Does something once, when pieces are under way."""

    def __init__(self, meddle: Callable[[], None]) -> None:
        self._meddle: Callable[[], None] | None = meddle
        self.done: list[int] = []

    def check(self) -> None:
        if self._meddle is not None and any(".run" in title for title in actors().values()):
            meddle, self._meddle = self._meddle, None
            meddle()

    def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
        self.done.append(done)


def actors() -> dict[int, str]:
    """The processes that live, with what Ray says they are at."""
    found: dict[int, str] = {}
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            title = " ".join(process.cmdline())
            if title.startswith("ray::PieceActor"):
                found[process.pid] = title
    return found


def kill_one() -> int:
    """The number of the process that was killed."""
    number = next(iter(actors()))
    os.kill(number, signal.SIGKILL)
    return number
