"""Forward passes that can be given up in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.job import Job


@contextmanager
def cancellable(decoder: Decoder, job: Job) -> Iterator[None]:
    """Inside, a forward pass obeys a cancel between blocks."""

    def check(_module: object, _arguments: object) -> None:
        job.check()

    with ExitStack() as restore:
        for block in decoder.blocks:
            restore.callback(block.register_forward_pre_hook(check).remove)
        yield
