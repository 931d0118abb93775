"""Which devices there are."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil

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


LEAST_CAPABILITY = (8, 0)
"""Of NVIDIA's GPUs, those that multiply bf16 numbers."""


def missing_for_kernels(device: torch.device) -> str | None:
    """What the worker's own GPU kernels need and is not there; empty where `device` is none of NVIDIA's GPUs,
    and None where nothing is missing."""
    if device.type != "cuda" or torch.version.cuda is None:
        return ""
    if torch.cuda.get_device_capability(device) < LEAST_CAPABILITY:
        return f"{torch.cuda.get_device_name(device)} does not multiply bf16 numbers"
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed beside torch"
    # Triton compiles the code that launches a kernel.
    if "CC" not in os.environ and not any(map(shutil.which, ("cc", "gcc", "clang"))):
        return "there is no C compiler (cc, gcc, clang, or another one named in CC)"
    return None


def where_fp64_is(values: Tensor) -> Tensor:
    """`values` on a device that has fp64, which Apple's GPUs have not."""
    return values.cpu() if values.device.type == "mps" else values


def in_fp64(values: Tensor) -> Tensor:
    return where_fp64_is(values).double()
