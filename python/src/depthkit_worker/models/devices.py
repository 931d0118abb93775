"""Which devices there are."""

from __future__ import annotations

import re

import torch
from torch import Tensor

from depthkit_worker.errors import DepthkitError


def available_devices() -> list[str]:
    """Names of the devices a model can be loaded on, the fastest kind first."""
    devices = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return [*devices, "cpu"]


def choose_device(asked: str) -> torch.device:
    """The device called `asked`: auto (the first available), cpu, mps, cuda or cuda:N."""
    devices = available_devices()
    if re.fullmatch(r"auto|cpu|mps|cuda(:[0-9]+)?", asked, re.ASCII) is None:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Device {asked!r} is none of auto, cpu, mps, cuda and cuda:N.",
            device=asked,
            available=devices,
        )
    if asked == "auto":
        return torch.device(devices[0])
    name = "cuda:0" if asked == "cuda" else asked
    if name not in devices:
        raise DepthkitError(
            "DEVICE_UNAVAILABLE",
            f"Device {asked!r} is not there. This machine's PyTorch {torch.__version__} sees "
            f"{', '.join(devices)}: take one of them, or name a Python in DEPTHKIT_PYTHON whose PyTorch was "
            f"built for the device.",
            device=asked,
            available=devices,
        )
    return torch.device(name)


def where_fp64_is(values: Tensor) -> Tensor:
    """`values` on a device that has fp64, which Apple's GPUs have not."""
    return values.cpu() if values.device.type == "mps" else values


def in_fp64(values: Tensor) -> Tensor:
    return where_fp64_is(values).double()
