"""Library code that knows no job, given up in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch.nn.modules import module as modules

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


@contextmanager
def calls_obey(job: Job) -> Iterator[None]:
    """Inside, a cancel is obeyed with each module that is called, whosever it is."""
    with _obeying(job, modules.register_module_forward_pre_hook):
        yield


@contextmanager
def making_obeys(job: Job) -> Iterator[None]:
    """Inside, a cancel is obeyed with each submodule that is made and each parameter that is put in its
    place. For models that are given up as a whole: putting back what was taken out of a live one would be cut
    short too."""
    with _obeying(
        job,
        modules.register_module_module_registration_hook,
        modules.register_module_parameter_registration_hook,
    ):
        yield


@contextmanager
def _obeying(job: Job, *registers: Callable[..., Any]) -> Iterator[None]:
    def check(*_of_the_hook: object) -> None:
        job.check()

    with ExitStack() as restore:
        for register in registers:
            restore.callback(register(check).remove)
        yield
