"""What a checkpoint's weight files hold, known before anything is built from them."""

from __future__ import annotations

import math
import pickle
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NoReturn

import torch
from safetensors import SafetensorError, safe_open

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.adapter_files import refuse_adapter_alone
from depthkit_worker.models.file_kinds import not_what_it_says
from depthkit_worker.models.first_line import first_line
from depthkit_worker.models.json_files import read_json_object

DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_BITS = re.compile(r"[A-Z]+([0-9]+)")

# In the order in which transformers looks for them.
_SINGLE_AND_INDEX = (
    ("model.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json"),
)

_BLOCK = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.([0-9]{1,9})\.", re.ASCII)
"""Every family calls its list of blocks one of the three."""

_DISTRIBUTED = re.compile(r"shard-[0-9]{5}-model-[0-9]{5}-of-[0-9]{5}\.safetensors")


@dataclass(frozen=True)
class StoredTensor:
    shape: tuple[int, ...]
    dtype: str
    """As safetensors writes it."""

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def bytes(self) -> int:
        bits = _BITS.match(self.dtype)  # Of BOOL, which is a byte wide, there are none.
        return -(-self.elements * (8 if bits is None else int(bits[1])) // 8)


@dataclass(frozen=True)
class StoredWeights:
    files: tuple[Path, ...]
    """Those transformers reads the weights from, in the order of their names."""
    tensors: Mapping[str, StoredTensor]
    """By their names in the files."""
    dtype: str
    """The dtype most stored elements have; of a quantised checkpoint, those of weights that are plain."""

    @property
    def elements(self) -> int:
        return sum(tensor.elements for tensor in self.tensors.values())

    def unpacked(self, bits: int) -> StoredWeights:
        """The same with codes of `bits` bits taken as the weights they stand for."""
        tensors = {
            name: one if _is_plain_weight(name, one) else StoredTensor((one.bytes * 8 // bits,), one.dtype)
            for name, one in self.tensors.items()
        }
        return StoredWeights(self.files, tensors, self.dtype)

    @property
    def blocks(self) -> int:
        """How many blocks there are tensors of, by the highest number."""
        return max((block + 1 for name in self.tensors if (block := block_of(name)) is not None), default=0)


def block_of(name: str) -> int | None:
    """The number of the block that a tensor belongs to, by its name."""
    return in_block(name)[0]


def in_block(name: str) -> tuple[int | None, str]:
    """The same, and what the tensor is called in the block; its whole name where it is in none."""
    found = _BLOCK.search(name)
    return (None, name) if found is None else (int(found[1]), name[found.end() :])


def renumbered(name: str, kept: Sequence[int]) -> str:
    """The name of a tensor whose block is among `kept` once these are all there are."""
    found = _BLOCK.search(name)
    return (
        name
        if found is None
        else f"{name[: found.start(1)]}{kept.index(int(found[1]))}{name[found.end(1) :]}"
    )


def read_stored(folder: Path, quantised: bool = False) -> StoredWeights:
    """Names, shapes and dtypes of all tensors of the folder; no tensor is read."""
    files = _weight_files(folder)
    tensors: dict[str, StoredTensor] = {}
    for path in files:
        tensors |= _safetensors(path) if path.suffix == ".safetensors" else _pickled(path)
    plain = (
        {name: one for name, one in tensors.items() if _is_plain_weight(name, one)} if quantised else tensors
    )
    return StoredWeights(files, tensors, _dtype(folder, plain))


def _is_plain_weight(name: str, tensor: StoredTensor) -> bool:
    """Whether it is a weight as the model computes with it, and neither codes nor their scales."""
    return tensor.dtype in DTYPES and name.endswith((".weight", ".bias"))


def _weight_files(folder: Path) -> tuple[Path, ...]:
    distributed = sorted(path.name for path in folder.iterdir() if _DISTRIBUTED.fullmatch(path.name))
    if distributed:
        _refuse(
            folder,
            f"transformers would read {distributed[0]}, a part of a distributed checkpoint, in their place",
        )
    for single, index in _SINGLE_AND_INDEX:
        if (folder / single).is_file():
            return (folder / single,)
        if (folder / index).is_file():
            return tuple(folder / shard for shard in _shards(folder, index))
    refuse_adapter_alone(folder)
    expected = ", ".join(name for pair in _SINGLE_AND_INDEX for name in pair)
    raise DepthkitError(
        "MODEL_INVALID",
        f"{folder} is not a whole checkpoint: it has no weights: none of {expected}.",
        folder=str(folder),
    )


def _shards(folder: Path, index: str) -> list[str]:
    path = folder / index
    places = read_json_object(path).get("weight_map")
    if not isinstance(places, dict) or not places:
        _refuse(path, "it has no weight_map that says which file holds which tensor")
    for tensor, shard in places.items():
        if not isinstance(shard, str):
            _refuse(path, f"it says that {tensor} is in {shard!r}, where a file's name belongs")
        if not _inside(shard):
            _refuse(path, f"it says that {tensor} is in {shard!r}, and no file outside {folder} is read")
    shards = sorted(set(places.values()))
    missing = [shard for shard in shards if not (folder / shard).is_file()]
    if missing:
        _refuse(path, f"the folder lacks {', '.join(missing)}, which it names")
    return shards


def _inside(shard: str) -> bool:
    """Whether a name in an index stays in the folder, read as any system would read it. (The files
    themselves may be links: the hub's cache is made of them.)"""
    ways = (PurePosixPath(shard), PureWindowsPath(shard))
    return not any(path.is_absolute() or path.drive or path.root or ".." in path.parts for path in ways)


def _safetensors(path: Path) -> dict[str, StoredTensor]:
    fault = not_what_it_says(path)
    if fault is not None:
        _refuse(path, fault)
    tensors = {}
    try:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 (not a mapping)
                part = file.get_slice(name)
                tensors[name] = StoredTensor(tuple(part.get_shape()), part.get_dtype())
    except (SafetensorError, OSError) as error:
        _refuse(path, f"it is damaged: {error}")
    return tensors


def _pickled(path: Path) -> dict[str, StoredTensor]:
    fault = not_what_it_says(path)
    if fault is not None:
        _refuse(path, fault)
    try:
        # Only tensors and plain values are unpickled: whatever else the file asks to be called is not.
        content = torch.load(path, map_location="meta", weights_only=True)
    except pickle.UnpicklingError as error:
        raise DepthkitError(
            "MODEL_INVALID",
            f"{path} is a pickle that asks for more than tensors, or no pickle at all, and pickles can run "
            "any program. It was not run. Get this model as safetensors, from someone you trust.",
            path=str(path),
        ) from error
    except Exception as error:  # Damaged archives raise whatever the reader was at.
        _refuse(path, f"its {path.stat().st_size:,} bytes are damaged or cut: {first_line(error)}")
    named = content.items() if isinstance(content, dict) else ()
    names = {
        str(dtype): name for name, dtype in ((short, getattr(torch, long)) for short, long in DTYPES.items())
    }
    return {
        str(name): StoredTensor(tuple(tensor.shape), names.get(str(tensor.dtype), str(tensor.dtype)))
        for name, tensor in named
        if isinstance(tensor, torch.Tensor)
    }


def _dtype(folder: Path, tensors: Mapping[str, StoredTensor]) -> str:
    elements: Counter[str] = Counter()
    for tensor in tensors.values():
        elements[tensor.dtype] += tensor.elements
    if not elements:
        raise DepthkitError(
            "MODEL_INVALID",
            f"{folder} is not a whole checkpoint: its weight files hold no tensors.",
            folder=str(folder),
        )
    stored = elements.most_common(1)[0][0]
    if stored not in DTYPES:
        raise DepthkitError(
            "MODEL_UNSUPPORTED",
            f"{folder} stores its weights as {stored}. depthkit reads {', '.join(DTYPES)}: use the "
            "checkpoint it was quantised from.",
            folder=str(folder),
            dtype=stored,
        )
    return DTYPES[stored]


def _refuse(path: Path, reason: str) -> NoReturn:
    raise DepthkitError(
        "MODEL_INVALID",
        f"The weights cannot be read from {path}: {reason}. Fetch the model again.",
        path=str(path),
    )
