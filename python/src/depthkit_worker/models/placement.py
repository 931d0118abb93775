"""A model over several devices: which block lies where, and what comes to it brought there.

Blocks lie in runs, in order; the embedding, the final norm and the head are on the first device. The library
(accelerate) has hooks for this, which are not used: they replace `forward` of every module, which removed
units, repairs and copies of blocks would not survive, and a CPU beside a GPU is to them a place that weights
are fetched from.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.process import machine_bytes
from depthkit_worker.models.devices import available_devices, choose_device
from depthkit_worker.models.stored_weights import StoredWeights, block_of

_ENTRY = re.compile(r"(cpu|mps|cuda:[0-9]+)(?:=([0-9]{1,6}))?", re.ASCII)


def mapped_devices(asked: str) -> list[torch.device]:
    """Those that `asked` names, each of which is there."""
    return [choose_device(name) for name, _ in _entries(asked)]


def plan_blocks(
    asked: str, stored: StoredWeights, depth: int, dtype: torch.dtype | None
) -> list[torch.device]:
    """The device of every block. `asked`: auto, devices, or devices with their numbers of blocks. `dtype`:
    what the weights become; None: they stay as they are stored. Refuses what does not fit: weights are never
    fetched from elsewhere while the model runs."""
    entries, devices = _entries(asked), mapped_devices(asked)
    _check_entries(asked, devices, [share for _, share in entries], depth)
    blocks, rest = _bytes_of(stored, depth, dtype)
    free = [_free_bytes(device) for device in devices]
    if entries[0][1] is None:
        shares = _in_proportion(blocks, [free[0] - rest, *free[1:]])
    else:
        shares = [share or 0 for _, share in entries]
    places = [device for device, share in zip(devices, shares, strict=True) for _ in range(share)]
    for number, device in enumerate(devices):
        needed = sum(size for size, place in zip(blocks, places, strict=True) if place == device)
        needed += rest if number == 0 else 0
        if needed > free[number]:
            raise DepthkitError(
                "OUT_OF_MEMORY",
                f"Spreading the model over {asked}: {device} would hold {needed / 2**30:.2f} GiB of weights "
                f"and has {free[number] / 2**30:.2f} GiB free. Weights are not fetched from elsewhere while "
                "the model runs: give it fewer blocks, add a device, or load a narrower dtype.",
                device=str(device),
                needed=needed,
                available=free[number],
            )
    return places


def library_map(places: Sequence[torch.device], blocks: str) -> dict[str, torch.device]:
    """The same as the library wants it; `blocks` is the name of the list of blocks."""
    if len(set(places)) == 1:
        return {"": places[0]}
    return {"": places[0], **{f"{blocks}.{index}": place for index, place in enumerate(places)}}


def bring_inputs(model: nn.Module) -> None:
    """Have what each block is called with brought to where its weights are, and what each other module with
    weights is. Copies of a block bring theirs too."""
    for module in _movable(model):
        module.register_forward_pre_hook(_to_own_device, with_kwargs=True)


def gather_blocks(model: nn.Module) -> None:
    """Bring all tensors of each block to where its first parameter is."""
    for module in _movable(model):
        first = next(module.parameters(), None)
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.data = tensor.data.to(tensor.device if first is None else first.device)


def moved(value: Any, device: torch.device) -> Any:
    """`value`, a nest of tensors and other things, with the tensors on `device`."""
    return tree_map(lambda leaf: leaf.to(device) if isinstance(leaf, Tensor) else leaf, value)


def told(places: Sequence[torch.device]) -> str:
    """As `plan_blocks` reads it: cuda:0=20,cuda:1=12; one device by its name."""
    runs = [(device, len(list(run))) for device, run in itertools.groupby(places)]
    return str(runs[0][0]) if len(runs) == 1 else ",".join(f"{device}={count}" for device, count in runs)


def _movable(model: nn.Module) -> list[nn.Module]:
    found: list[nn.Module] = []
    for child in model.children():
        if isinstance(child, nn.ModuleList):
            found.extend(child)
            continue
        if any(True for _ in child.parameters(recurse=False)):
            found.append(child)
        found.extend(_movable(child))
    return found


def _to_own_device(module: nn.Module, positional: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    first = next(module.parameters(), None)
    return None if first is None else (moved(positional, first.device), moved(keywords, first.device))


def _entries(asked: str) -> list[tuple[str, int | None]]:
    if asked == "auto":
        found = [name for name in available_devices() if name.startswith("cuda")]
        if not found:
            raise DepthkitError(
                "DEVICE_UNAVAILABLE",
                "deviceMap auto spreads a model over the CUDA devices, and PyTorch sees none. Leave it out, "
                "or name devices.",
                available=available_devices(),
            )
        return [(name, None) for name in found]
    matches = [_ENTRY.fullmatch(part.strip()) for part in asked.split(",")]
    entries = [(match[1], None if match[2] is None else int(match[2])) for match in matches if match]
    if len(entries) < len(matches) or len({share is None for _, share in entries}) > 1:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"deviceMap {asked!r} is neither auto, nor devices such as cuda:0,cuda:1, nor devices each with "
            "its number of blocks, such as cuda:0=20,cuda:1=12.",
            deviceMap=asked,
        )
    return entries


def _check_entries(
    asked: str, devices: Sequence[torch.device], shares: Sequence[int | None], depth: int
) -> None:
    given = [share for share in shares if share is not None]
    if len(set(devices)) < len(devices):
        why = "names a device twice: blocks lie in one run on each"
    elif given and (0 in given or sum(given) != depth):
        why = f"places {sum(given)} blocks, and the model has {depth}; each device takes one or more"
    elif len(devices) > depth:
        why = f"names {len(devices)} devices for {depth} blocks"
    else:
        return
    raise DepthkitError("INVALID_ARGUMENT", f"deviceMap {asked!r} {why}.", deviceMap=asked, depth=depth)


def _bytes_of(stored: StoredWeights, depth: int, dtype: torch.dtype | None) -> tuple[list[int], int]:
    """Of each block's weights in `dtype`, or as they are stored, and of all others."""
    blocks, rest = [0] * depth, 0
    for name, tensor in stored.tensors.items():
        size = tensor.bytes if dtype is None else tensor.elements * dtype.itemsize
        index = block_of(name)
        if index is None or index >= depth:
            rest += size
        else:
            blocks[index] += size
    return blocks, rest


def _in_proportion(blocks: Sequence[int], room: Sequence[int]) -> list[int]:
    """How many blocks each device takes, so that the weights are shared as the room is, each at least one."""
    room = [max(0, one) for one in room]
    ends = list(itertools.accumulate(room))
    if ends[-1] == 0:
        return [len(blocks), *[0] * (len(room) - 1)]
    total, before = sum(blocks), 0
    shares = [0] * len(room)
    for size in blocks:
        middle = (before + size / 2) / total * ends[-1]
        shares[next(place for place, end in enumerate(ends) if middle <= end)] += 1
        before += size
    for place in range(len(shares)):
        while shares[place] == 0:
            shares[shares.index(max(shares))] -= 1
            shares[place] += 1
    return shares


def _free_bytes(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else machine_bytes()
