"""A repair as plain tensors and settings, and a folder of them on disk.

A folder holds `repair.json`, which names the model's digest, the removed units and the settings of each
repair, and `repair.safetensors` with all their tensors. It appears whole or not at all.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from depthkit_worker.contract.wire import RepairSaveOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder, edited_module
from depthkit_worker.models.file_kinds import not_what_it_says
from depthkit_worker.models.first_line import first_line
from depthkit_worker.models.packed import weight_shape
from depthkit_worker.models.partial_folders import partial_folder
from depthkit_worker.models.stand_ins import require_whole
from depthkit_worker.models.stream_updates import Constant, FeedForward, Linear, LowRank, Scale, SwiGlu
from depthkit_worker.models.target import check_target
from depthkit_worker.models.told_when_full import told_when_full
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.repair.saved_form import FORMAT, VERSION, SavedRepair, damaged, read_saved
from depthkit_worker.repair.weight_changes import Product, Sum, Value, WeightChange
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.subnetwork import Subnetwork


@dataclass(frozen=True)
class Described:
    """A repair's edits as JSON, and the tensors that the JSON names."""

    edits: list[dict[str, Any]]
    tensors: dict[str, Tensor]


def describe(edits: Mapping[int, BlockEdit]) -> Described:
    described: list[dict[str, Any]] = []
    tensors: dict[str, Tensor] = {}

    def put(where: str, **named: Tensor | None) -> None:
        for name, tensor in named.items():
            if tensor is not None:
                tensors[f"{where}.{name}"] = tensor.detach()

    for index in sorted(edits):
        edit = edits[index]
        for slot, module in edit.updates.items():
            where = f"{index}.{slot}"
            entry: dict[str, Any] = {"block": index, "place": slot}
            match module:
                case Constant():
                    entry["kind"] = module.kind
                    put(where, vector=module.vector)
                case LowRank():
                    entry |= {"kind": module.kind, "reads": module.reads, "eps": module.eps}
                    put(where, down=module.down, up=module.up, bias=module.bias)
                case Linear():
                    entry["kind"] = module.kind
                    put(where, matrix=module.matrix, bias=module.bias)
                case Scale():
                    entry |= {"kind": module.kind, "factor": module.factor}
                case FeedForward() | SwiGlu():
                    entry["kind"] = module.kind
                    put(where, **dict(module.named_parameters()))
                case _:
                    raise TypeError(f"no stored form for {type(module).__name__}")
            described.append(entry)
        if edit.replacement is not None:
            described.append({"block": index, "place": "replacement", "kind": "block"})
            for name, tensor in edit.replacement.state_dict().items():
                tensors[f"{index}.replacement.{name}"] = tensor.detach()
        for name, change in edit.weights.items():
            where = f"{index}.weights.{name}"
            entry = {"block": index, "place": "weights", "name": name}
            match change:
                case Product():
                    entry |= {"kind": "product", "outputFirst": change.output_first}
                    put(where, matrix=change.matrix)
                case Sum():
                    entry |= {"kind": "sum", "scale": change.scale}
                    put(where, a=change.a, b=change.b)
                case Value():
                    entry["kind"] = "value"
                    put(where, value=change.value)
                case _:
                    raise TypeError(f"no stored form for {type(change).__name__}")
            described.append(entry)
    return Described(described, tensors)


def make_repair(
    decoder: Decoder,
    method: str,
    removed: Sequence[Unit],
    edits: Mapping[int, BlockEdit],
    settings: str,
    base: Sequence[str] = (),
) -> Repair:
    """A repair with the digest of all that determines what it does: the model's weights, the units it makes
    up for, what it puts where, its tensors bit for bit, and the repairs it needs below it. How it was made
    does not count: equal tensors in equal places are one repair. `settings`: JSON of what the method was
    told, of which no more is kept than determines the tensors."""
    described = describe(edits)
    settings = json.dumps(json.loads(settings), sort_keys=True)
    content = {
        "model": decoder.source.weights_digest,
        "removed": [str(unit) for unit in removed],
        "edits": described.edits,
        "base": list(base),
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    for name in sorted(described.tensors):
        tensor = described.tensors[name].cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy().data)
    return Repair(method, tuple(removed), dict(edits), digest.hexdigest(), tuple(base), settings)


def added_parameters(decoder: Decoder, repair: Repair) -> int:
    """Numbers that the repair adds to the model in memory. A replacement block counts whole, and so does a
    head that was the embedding."""
    added = sum(parameter.numel() for module in repair.modules for parameter in module.parameters())
    head = edited_module(decoder, decoder.depth).get_parameter("weight")
    tied = head is decoder.model.get_input_embeddings().weight
    return added + (head.numel() if tied and decoder.depth in repair.edits else 0)


def save_repairs(subnetwork: Subnetwork, folder: Path, options: RepairSaveOptions, job: Job) -> int:
    """Write what is removed, and the repairs in the order they were made; gives the bytes written."""
    folder = check_target(folder, "repair", options.overwrite)
    tensors: dict[str, Tensor] = {}
    entries = []
    for number, repair in enumerate(subnetwork.repairs):
        described = describe(repair.edits)
        entries.append(
            {
                "method": repair.method,
                "removed": [str(unit) for unit in repair.removed],
                "settings": json.loads(repair.settings),
                "base": list(repair.base),
                "digest": repair.digest,
                "edits": described.edits,
            }
        )
        for name, tensor in described.tensors.items():
            tensors[f"{number}.{name}"] = tensor.cpu().contiguous().clone()
    source = subnetwork.decoder.source
    content = {
        "format": FORMAT,
        "version": VERSION,
        "model": {"name": source.name, "weightsDigest": source.weights_digest},
        "removed": [str(unit) for unit in subnetwork.shortest_units],
        "repairs": entries,
    }
    with told_when_full(f"Saving the repair to {folder}"), partial_folder(folder) as prepared:
        save_file(tensors, prepared.new / "repair.safetensors")
        (prepared.new / "repair.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        size = sum(path.stat().st_size for path in prepared.new.iterdir())
        prepared.put_in_place(job)
    return size


def load_repairs(decoder: Decoder, folder: Path) -> Subnetwork:
    """The subnetwork that `save_repairs` wrote, of the same model's weights."""
    saved = read_saved(folder)
    wanted, here = saved.model.weights_digest, decoder.source.weights_digest
    if wanted != here:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The repair in {folder} was made for {saved.model.name} with weights {wanted[:12]}; the model "
            f"{decoder.source.name} has weights {here[:12]}. Load the model it was made for, or make it "
            f"again.",
            madeFor=wanted,
            model=here,
        )
    try:
        tensors = load_file(folder / "repair.safetensors")
        units = tuple(Unit.parse(name) for name in saved.removed)
        repairs = tuple(
            _restore(decoder, entry, f"{number}.", tensors) for number, entry in enumerate(saved.repairs)
        )
        for repair, entry in zip(repairs, saved.repairs, strict=True):
            if repair.digest != entry.digest:
                raise ValueError(f"the tensors of {repair.method} are not those it was saved with")
        return Subnetwork(decoder, units, repairs)
    except (SafetensorError, OSError) as error:
        path = folder / "repair.safetensors"
        raise damaged(
            folder, f"{path.name}: {(path.is_file() and not_what_it_says(path)) or error}"
        ) from error
    except (DepthkitError, LookupError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        raise damaged(folder, first_line(error)) from error


def _restore(decoder: Decoder, entry: SavedRepair, prefix: str, tensors: Mapping[str, Tensor]) -> Repair:
    edits: dict[int, dict[str, Any]] = {}
    for edit in entry.edits:
        index, place = edit["block"], str(edit["place"])
        if type(index) is not int or not 0 <= index <= decoder.depth:
            raise ValueError(f"it has an edit of block {index!r} of a model of {decoder.depth}")
        if index == decoder.depth and place != "weights":
            raise ValueError(f"it puts something {place} the head, which only has weights")
        here = edits.setdefault(index, {})
        if place == "weights":
            where = f"{prefix}{index}.weights.{edit['name']}."
            here.setdefault("weights", {})[edit["name"]] = _change(edit, where, tensors)
        elif place == "replacement":
            here["replacement"] = _block(decoder, index, f"{prefix}{index}.replacement.", tensors)
        else:
            here[place] = _update(edit, f"{prefix}{index}.{place}.", tensors, decoder)
    made = {index: BlockEdit(**places) for index, places in edits.items()}
    _try_out(decoder, made)
    return make_repair(
        decoder,
        entry.method,
        [Unit.parse(name) for name in entry.removed],
        made,
        json.dumps(entry.settings),
        entry.base,
    )


def _try_out(decoder: Decoder, edits: Mapping[int, BlockEdit]) -> None:
    """Raises where an update takes no stream of the model's, or a change no weight of the block's."""
    stream = torch.zeros(1, 1, decoder.hidden_size, dtype=decoder.dtype, device=decoder.device)
    for index, edit in edits.items():
        for slot, update in edit.updates.items():
            if update(decoder.at(index, stream)).shape != stream.shape:
                raise ValueError(f"what stands {slot} block {index} does not fit its stream")
        block = edited_module(decoder, index) if edit.replacement is None else edit.replacement
        for name, change in edit.weights.items():
            weight = torch.empty(weight_shape(block.get_parameter(name)), device="meta")
            if change(weight).shape != weight.shape:
                raise ValueError(f"the change of {name} in block {index} does not fit it")


def _update(edit: dict[str, Any], where: str, tensors: Mapping[str, Tensor], decoder: Decoder) -> nn.Module:
    def get(name: str) -> Tensor:
        return decoder.at(edit["block"], tensors[where + name])

    bias = get("bias") if f"{where}bias" in tensors else None
    match edit["kind"]:
        case Constant.kind:
            return Constant(get("vector"))
        case LowRank.kind:
            return LowRank(get("down"), get("up"), bias, edit["reads"], edit["eps"])
        case Linear.kind:
            return Linear(get("matrix"), bias)
        case Scale.kind:
            factor = edit["factor"]
            if not isinstance(factor, float) or not 0 < factor < math.inf:
                raise ValueError(f"it scales by {factor!r}, which is no number above 0")
            return Scale(factor)
        case FeedForward.kind:
            return FeedForward(get("up"), get("up_bias"), get("down"), get("down_bias"))
        case SwiGlu.kind:
            return SwiGlu(get("gate"), get("up"), get("down"))
    raise ValueError(f"no update of kind {edit['kind']!r}")


def _change(edit: dict[str, Any], where: str, tensors: Mapping[str, Tensor]) -> WeightChange:
    match edit["kind"]:
        case "product":
            return Product(tensors[f"{where}matrix"], edit["outputFirst"])
        case "sum":
            return Sum(tensors[f"{where}a"], tensors[f"{where}b"], edit["scale"])
        case "value":
            return Value(tensors[f"{where}value"])
    raise ValueError(f"no weight change of kind {edit['kind']!r}")


def _block(decoder: Decoder, index: int, where: str, tensors: Mapping[str, Tensor]) -> nn.Module:
    require_whole(decoder.blocks[index], decoder.family, index, "A saved block has the shape of")
    block = copy.deepcopy(decoder.blocks[index])
    state = {name.removeprefix(where): tensor for name, tensor in tensors.items() if name.startswith(where)}
    block.load_state_dict(state)
    return block.requires_grad_(False)
