"""Work that cannot look at its job."""

from __future__ import annotations

import importlib
import threading

import pytest

from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.job import Unattended, attended, cancelled


def test_what_comes_out_is_what_the_work_gives_or_raises() -> None:
    assert attended(Unattended(), lambda: 6 * 7) == 42
    with pytest.raises(ModuleNotFoundError, match="absent_module"):
        attended(Unattended(), lambda: importlib.import_module("absent_module"))


def test_a_cancel_does_not_wait_for_the_work() -> None:
    over, done = threading.Event(), []

    class Cancelled(Unattended):
        def check(self) -> None:
            raise cancelled()

    def work() -> None:
        over.wait()
        done.append(True)

    with pytest.raises(DepthkitError) as stopped:
        attended(Cancelled(), work)
    assert stopped.value.code == "CANCELLED"
    assert not done
    over.set()
