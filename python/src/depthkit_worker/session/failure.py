"""Exceptions as data: what of a Python error crosses the wire."""

from __future__ import annotations

import traceback

import msgspec

from depthkit_worker.contract.envelope import ErrorBody
from depthkit_worker.disk_full import disk_full
from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.out_of_memory import is_out_of_memory


def describe(error: BaseException) -> ErrorBody:
    """The code, message and details of an error raised on purpose; the traceback of any other."""
    if isinstance(error, DepthkitError):
        return ErrorBody(error.code, error.message, error.details, "", "")
    trace = "".join(traceback.format_exception(error))
    name = type(error).__name__
    if isinstance(error, msgspec.ValidationError | msgspec.DecodeError):
        return ErrorBody("PROTOCOL", f"The worker refused the call's parameters: {error}", {}, name, trace)
    if is_out_of_memory(error):
        message = (
            f"The device ran out of memory: {error}. Try a smaller batchSize, a shorter length or a smaller "
            "dtype."
        )
        return ErrorBody("OUT_OF_MEMORY", message, {}, name, trace)
    if (why := disk_full(error)) is not None:
        return ErrorBody("DISK_FULL", f"Writing a file failed: {why} ({error}). Make room.", {}, name, trace)
    return ErrorBody("INTERNAL", f"{name}: {error}", {}, name, trace)
