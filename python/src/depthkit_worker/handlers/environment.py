"""With what the worker works: versions, machine and devices."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import torch

from depthkit_worker.contract.wire import Accelerator, Empty, EnvironmentReadResult, PackageVersion
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session

PACKAGES = ("torch", "transformers", "tokenizers", "safetensors", "accelerate", "peft", "numpy", "lm-eval")
"""What figures may depend on."""


def read(session: Session, params: Empty, call: Call) -> EnvironmentReadResult:
    return EnvironmentReadResult(
        python=platform.python_version(),
        packages=tuple(
            PackageVersion(name=name, version=found)
            for name in PACKAGES
            if (found := _version(name)) is not None
        ),
        system=platform.platform(terse=True),
        processor=platform.machine(),
        threads=torch.get_num_threads(),
        cuda=torch.version.cuda,
        accelerators=tuple(map(_accelerator, range(torch.cuda.device_count()))),
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _accelerator(index: int) -> Accelerator:
    properties = torch.cuda.get_device_properties(index)
    return Accelerator(
        name=properties.name,
        memory_bytes=properties.total_memory,
        capability=f"{properties.major}.{properties.minor}",
    )
