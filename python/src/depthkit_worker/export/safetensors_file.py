"""Writing one safetensors file, byte for byte as the library writes it, a piece at a time: the library's own
call takes a second per gigabyte and more, looks at no cancel meanwhile, and wants all tensors converted
before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from depthkit_worker.export.plain_weights import as_stored
from depthkit_worker.session.job import Job

PIECE_BYTES = 16 << 20
"""Written between two looks at a cancel."""
ALIGNMENT = 8
# Their names in a file. The library puts them in this order, the widest first, so that each is aligned.
DTYPES = {
    torch.uint64: "U64",
    torch.int64: "I64",
    torch.float64: "F64",
    torch.complex64: "C64",
    torch.float32: "F32",
    torch.uint32: "U32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.uint16: "U16",
    torch.int16: "I16",
    torch.float8_e8m0fnu: "F8_E8M0",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_ORDER = list(DTYPES)


def stored_dtype(tensor: Tensor, dtype: torch.dtype | None) -> torch.dtype:
    return dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype


def stored_bytes(tensor: Tensor, dtype: torch.dtype | None) -> int:
    return tensor.numel() * stored_dtype(tensor, dtype).itemsize


def write_tensors(
    tensors: Mapping[str, Tensor], path: Path, dtype: torch.dtype | None, job: Job
) -> Iterator[int]:
    """Write `tensors` to `path`, floating-point ones as `dtype`, or as they are; gives the bytes of each
    piece once written."""
    order = sorted(tensors, key=lambda name: (_ORDER.index(stored_dtype(tensors[name], dtype)), name))
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in order:
        start, end = end, end + stored_bytes(tensors[name], dtype)
        header[name] = {
            "dtype": DTYPES[stored_dtype(tensors[name], dtype)],
            "shape": list(tensors[name].shape),
            "data_offsets": [start, end],
        }
    front = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    front += b" " * (-len(front) % ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(front).to_bytes(8, "little") + front)
        for name in order:
            job.check()
            raw = (
                as_stored(tensors[name], stored_dtype(tensors[name], dtype))
                .flatten()
                .view(torch.uint8)
                .numpy()
                .data
            )
            for start in range(0, len(raw), PIECE_BYTES):
                job.check()
                yield file.write(raw[start : start + PIECE_BYTES])
