"""Which blocks run, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from depthkit_worker.models.decoder import Decoder


@contextmanager
def blocks_run(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Inside, the blocks that any decoder runs are added to the list."""
    ran: list[int] = []
    run_block = Decoder.run_block

    def counted(self: Decoder, index: int, *arguments: Any, **keywords: Any) -> torch.Tensor:
        ran.append(index)
        return run_block(self, index, *arguments, **keywords)

    with monkeypatch.context() as patched:
        patched.setattr(Decoder, "run_block", counted)
        yield ran
