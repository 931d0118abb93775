"""Writing the file, tensor by tensor: none is in memory before its turn, and none stays there."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind
from gguf import GGUFValueType as Type

from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.gguf.metadata import Metadata, Value
from depthkit_worker.export.gguf.stored import Numbers, Stored
from depthkit_worker.models.gguf_header import PROVENANCE
from depthkit_worker.session.job import Job

PHASE = "writing"
FILE_TYPES: Mapping[Kind, int] = {
    Kind.F32: int(gguf.LlamaFileType.ALL_F32),
    Kind.F16: int(gguf.LlamaFileType.MOSTLY_F16),
    Kind.BF16: int(gguf.LlamaFileType.MOSTLY_BF16),
    Kind.Q8_0: int(gguf.LlamaFileType.MOSTLY_Q8_0),
}
"""`general.file_type` where all matrices are of one kind."""


@dataclass(frozen=True)
class Written:
    digest: str
    """sha256 over the tensors' bytes, in their order."""
    parameters: int
    bytes: int
    """Of the tensors."""


def kind_of(stored: Stored, asked: Kind | None) -> Kind:
    """What a tensor is written as. llama.cpp has all vectors as float32."""
    if stored.fixed or asked is None:
        return stored.kind
    return Kind.F32 if len(stored.shape) == 1 else asked


def size_of(stored: Stored, kind: Kind) -> int:
    items, size = gguf.GGML_QUANT_SIZES[kind]
    return math.prod(stored.shape) // items * size


@dataclass(frozen=True)
class Content:
    """What a file is to hold."""

    architecture: str
    metadata: Metadata
    tensors: Mapping[str, Stored]
    asked: Kind | None
    """The kind of all matrices; None: each its own."""

    def kind(self, stored: Stored) -> Kind:
        return kind_of(stored, self.asked)


def write_file(path: Path, content: Content, provenance: Callable[[str], str], job: Job) -> Written:
    """Write a GGUF file and read it back: what is in it is what was meant. `provenance` is asked for what the
    metadata say of the tensors with this digest, which is known when all are written; its length is the
    same for all digests."""
    unknown, tensors = provenance("0" * 64), content.tensors
    content.metadata[PROVENANCE] = Value(unknown, Type.STRING)
    writer = gguf.GGUFWriter(path, content.architecture)
    try:
        for key, one in content.metadata.items():
            writer.add_key_value(key, one.value, one.type, sub_type=one.items)
        for name, stored in tensors.items():
            kind = content.kind(stored)
            # The dtype given counts for nothing beside `raw_dtype`, but for bytes, whose shape is another.
            writer.add_tensor_info(name, stored.shape, np.dtype(np.float32), size_of(stored, kind), kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        header = path.stat().st_size
        writer.write_ti_data_to_file()
        digest = hashlib.sha256()
        for done, (name, stored) in enumerate(tensors.items(), 1):
            job.check()
            data = _data(name, stored, content.kind(stored))
            digest.update(data.data)
            writer.write_tensor_data(data)
            job.report(PHASE, done, len(tensors), "tensors")
    finally:
        writer.close()
    known = provenance(digest.hexdigest())
    _put(path, header, unknown.encode(), known.encode())
    content.metadata[PROVENANCE] = Value(known, Type.STRING)
    _check_written(path, content, digest.hexdigest(), job)
    return Written(
        digest.hexdigest(),
        sum(math.prod(one.shape) for one in tensors.values()),
        sum(size_of(one, content.kind(one)) for one in tensors.values()),
    )


def _put(path: Path, header: int, old: bytes, new: bytes) -> None:
    """Write `new` over `old`, which is as long and stands in the first `header` bytes."""
    assert len(old) == len(new)
    with path.open("r+b") as file:
        file.seek(file.read(header).index(old))
        file.write(new)


def _data(name: str, stored: Stored, kind: Kind) -> Numbers:
    if stored.raw is not None and stored.kind is kind:
        return np.ascontiguousarray(stored.raw()).reshape(-1).view(np.uint8)
    wide = stored.wide()
    if not np.isfinite(wide).all():
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"The tensor {name} holds a number that is not finite. Nothing is left of the file. Look at the "
            "model and its repairs: they answer with such numbers too.",
            tensor=name,
        )
    with np.errstate(over="ignore"):
        data = gguf.quantize(wide, kind)
    if kind is Kind.F16 and (lost := int((~np.isfinite(data)).sum())):
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"Writing the tensor {name} as float16: {lost} of its numbers are larger than any float16 and "
            "would be infinite. Nothing is left of the file. Save it as bfloat16 or float32.",
            tensor=name,
        )
    return np.ascontiguousarray(data).reshape(-1).view(np.uint8)


def _check_written(path: Path, content: Content, digest: str, job: Job) -> None:
    """Read the file back, as other software finds things in it."""
    reader, found, faults = gguf.GGUFReader(path), hashlib.sha256(), []
    for tensor, (name, stored) in zip(reader.tensors, content.tensors.items(), strict=True):
        job.check()
        shape = tuple(int(size) for size in reversed(tensor.shape))
        if (tensor.name, shape, tensor.tensor_type) != (name, stored.shape, content.kind(stored)):
            faults.append(name)
        found.update(np.ascontiguousarray(tensor.data).reshape(-1).view(np.uint8).data)
    if found.hexdigest() != digest:
        faults.append("the tensors' bytes")
    for key, one in content.metadata.items():
        field = reader.get_field(key)
        there = None if field is None else field.contents()
        # A list without entries has no contents, and a 32-bit number is the nearest one to what it was.
        wanted = float(np.float32(one.value)) if one.type is Type.FLOAT32 else one.value or None
        if (there if one.type is Type.FLOAT32 else there or None) != wanted:
            faults.append(key)
    if faults:
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"The GGUF file, read back, has not what was written into it: {', '.join(faults[:3])}. Nothing "
            "is left of it; report it.",
        )
