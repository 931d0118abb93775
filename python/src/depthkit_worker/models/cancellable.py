"""Library code that knows no job, given up in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

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
def obeying(job: Job) -> Iterator[None]:
    """Inside, whatever builds, loads or runs modules obeys a cancel: with each submodule that is made, each
    parameter that is put in its place, and each module that is called. For work that is given up as a whole,
    since what is cut short is left as it is."""

    def check(*_of_the_hook: object) -> None:
        job.check()

    with ExitStack() as restore:
        for register in (
            modules.register_module_module_registration_hook,
            modules.register_module_parameter_registration_hook,
            modules.register_module_forward_pre_hook,
        ):
            restore.callback(register(check).remove)
        yield
