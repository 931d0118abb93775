"""A LoRA adapter of peft's as a repair: beside the weights, which stay as they are. So it also goes beside
packed ones, as `export` writes it there; `merged_adapter` makes it part of plain ones."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import torch
from peft import LoraConfig
from peft.utils.other import get_pattern_key
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.merged_adapter import Adapter, read_adapter, read_tensors, refuse_adapter
from depthkit_worker.models.packed import weight_shape
from depthkit_worker.repair.repair import BlockEdit
from depthkit_worker.repair.storage import make_repair
from depthkit_worker.repair.weight_changes import Sum, WeightChange, sum_of
from depthkit_worker.subnetworks.subnetwork import Subnetwork

_TENSOR = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")
_SAYS_NOTHING_HERE = {
    *("task_type", "peft_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision"),
    # How it was trained, and where; which tensors there are says the rest.
    *("inference_mode", "lora_dropout", "init_lora_weights", "eva_config", "lora_ga_config"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "fan_in_fan_out"),
    *("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora"),
}
_CHANGES_NO_WEIGHT = (True, False, "gaussian", "eva", "orthogonal")
"""Ways to start that leave the weights beside the adapter as they are."""


def adapter_as_repair(decoder: Decoder, folder: Path) -> Subnetwork:
    """`decoder` whole, with the adapter in `folder` beside its blocks, as one repair.

    Raises:
        DepthkitError: `MODEL_INVALID` where it is damaged, or of another model; `MODEL_UNSUPPORTED` where it
            is more than low rank beside linear modules of blocks.
    """
    adapter = read_adapter(folder)
    _require_plain(adapter)
    edits = {
        index: BlockEdit(weights=changes) for index, changes in sorted(_changes(decoder, adapter).items())
    }
    settings = json.dumps({"adapter": {"rank": adapter.config.r, "alpha": adapter.config.lora_alpha}})
    return Subnetwork(decoder, (), (make_repair(decoder, "lora", (), edits, settings),))


def _require_plain(adapter: Adapter) -> None:
    plain = LoraConfig()
    for name, value in vars(adapter.config).items():
        # What is saved as empty and what is not there say the same.
        if name not in _SAYS_NOTHING_HERE and (value or None) != (getattr(plain, name, None) or None):
            told = f"its {name} is {value!r}, and plain LoRA is what can stand beside weights"
            refuse_adapter(adapter.folder, told, "MODEL_UNSUPPORTED")
    start = adapter.config.init_lora_weights
    if start not in _CHANGES_NO_WEIGHT:
        told = f"it was started as {start!r}, which changes the weights beside it as well"
        refuse_adapter(adapter.folder, told, "MODEL_UNSUPPORTED")


def _changes(decoder: Decoder, adapter: Adapter) -> dict[int, dict[str, WeightChange]]:
    pairs: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for name, tensor in read_tensors(adapter).items():
        found = _TENSOR.fullmatch(name)
        if found is None:
            told = f"{name} is no low-rank factor of a linear module's weight"
            refuse_adapter(adapter.folder, told, "MODEL_UNSUPPORTED")
        if not bool(tensor.isfinite().all()):
            refuse_adapter(adapter.folder, f"{name} has NaN or infinity")
        pairs[found[1]][found[2]] = tensor
    if not pairs:
        refuse_adapter(adapter.folder, "it holds no tensors")
    changes: dict[int, dict[str, WeightChange]] = defaultdict(dict)
    for module, pair in sorted(pairs.items()):
        index, name = _place(decoder, module, adapter)
        changes[index][f"{name}.weight"] = _sum(decoder, index, name, module, pair, adapter)
    return changes


def _place(decoder: Decoder, module: str, adapter: Adapter) -> tuple[int, str]:
    """The block's number, and the module's name in it."""
    found = re.fullmatch(rf"{re.escape(decoder.family.blocks)}\.(\d+)\.(.+)", module)
    if found is None:
        told = f"it changes {module}, which lies in no block"
        refuse_adapter(adapter.folder, told, "MODEL_UNSUPPORTED")
    index = int(found[1])
    if index >= decoder.depth:
        refuse_adapter(adapter.folder, f"it changes block {index} of a model of {decoder.depth}")
    return index, found[2]


def _sum(
    decoder: Decoder, index: int, name: str, module: str, pair: Mapping[str, Tensor], adapter: Adapter
) -> Sum:
    try:
        linear = decoder.blocks[index].get_submodule(name)
    except AttributeError:
        refuse_adapter(adapter.folder, f"it changes {module}, which the model does not have")
    if not isinstance(linear, nn.Linear | Conv1D):
        told = f"it changes {module}, which is a {type(linear).__name__} and no linear module"
        refuse_adapter(adapter.folder, told, "MODEL_UNSUPPORTED")
    turned = isinstance(linear, Conv1D)
    shape = weight_shape(linear.weight)
    outputs, inputs = reversed(shape) if turned else shape
    rank, scale = _rank_and_scale(adapter.config, module)
    there = {side: tuple(tensor.shape) for side, tensor in pair.items()}
    if there != {"A": (rank, inputs), "B": (outputs, rank)}:
        wanted = f"A ({rank}, {inputs}) and B ({outputs}, {rank})"
        refuse_adapter(adapter.folder, f"beside {module} it has {there}, and {wanted} are what fits")
    # As the adapters that depthkit trains: in fp32 whatever the model's dtype.
    down, up = (pair[side].to(linear.weight.device, torch.float32) for side in "AB")
    return sum_of(down, up, scale, output_first=not turned)


def _rank_and_scale(config: LoraConfig, module: str) -> tuple[int, float]:
    ranks, alphas = config.rank_pattern or {}, config.alpha_pattern or {}
    rank = int(ranks.get(get_pattern_key(list(ranks), module), config.r))
    alpha = float(alphas.get(get_pattern_key(list(alphas), module), config.lora_alpha))
    return rank, alpha / (math.sqrt(rank) if config.use_rslora else rank)
