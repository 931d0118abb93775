"""A failed allocation is recognised by one list, whoever asks and whatever the device."""

from __future__ import annotations

import errno
import sys
from types import ModuleType

import pytest
import torch

from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.out_of_memory import is_out_of_memory
from depthkit_worker.session.failure import describe

FAILED = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError(
        "MPS backend out of memory (MPS allocated: 8.92 GB, other allocations: 1.2 GB, max allowed: 9 GB)."
    ),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory"),
    RuntimeError("could not create a memory object"),
    RuntimeError("could not create a primitive"),
    RuntimeError("unable to mmap 4096 bytes from file <x>: Cannot allocate memory (12)"),
    RuntimeError("std::bad_alloc"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
]
OTHERS = [
    RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"),
    KeyError("out of memory"),
    RuntimeError("could not create a primitive descriptor for the inner product forward primitive"),
    OSError(errno.ENOENT, "No such file or directory"),
]


@pytest.mark.parametrize("error", FAILED, ids=str)
def test_a_failed_allocation_is_out_of_memory(error: BaseException) -> None:
    assert is_out_of_memory(error)
    assert describe(error).code == "OUT_OF_MEMORY"


@pytest.mark.parametrize("error", OTHERS, ids=str)
def test_anything_else_is_not(error: BaseException) -> None:
    assert not is_out_of_memory(error)
    assert describe(error).code == "INTERNAL"


def test_an_error_raised_on_purpose_keeps_its_code() -> None:
    assert describe(DepthkitError("INVALID_ARGUMENT", "out of memory")).code == "INVALID_ARGUMENT"


def test_this_machines_own_refusal_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_an_error_while_torch_is_being_imported_is_told_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    assert not is_out_of_memory(ValueError("out of range"))
    assert is_out_of_memory(MemoryError())
