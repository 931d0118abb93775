"""LoRA that was trained beside packed weights, as an adapter of peft's in the folder of their checkpoint.

Merged into such weights it would be rounded with them, so the two are kept apart and loaded together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mode

import torch
from peft import LoraConfig, PeftModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from depthkit_worker.models.adapter_files import BESIDE, CONFIG
from depthkit_worker.models.folders import sha256_of_files
from depthkit_worker.models.merged_adapter import WEIGHTS
from depthkit_worker.repair.weight_changes import sums_in
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.subnetwork import Subnetwork

NOTE = (
    f"What LoRA learned is not in these weights, which are packed. It lies in the folder {BESIDE}, as an "
    "adapter of peft's, and belongs to them: alone they answer as before the healing. Load both: "
    "`PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(FOLDER), FOLDER + "
    f'"/{BESIDE}")`, with FOLDER for this one. depthkit itself loads the weights alone, and says so.'
)


@dataclass(frozen=True)
class WrittenAdapter:
    digest: str
    parameters: int
    bytes: int
    """Of the tensors alone."""


@dataclass(frozen=True)
class _Factors:
    down: Tensor
    """A: (rank, in)"""
    up: Tensor
    """B: (out, rank), times the scale"""
    turned: bool
    """Whether the module keeps its weight as (in, out)."""


def write_adapter(
    subnetwork: Subnetwork, kept: Sequence[int], base: str, folder: Path, job: Job
) -> WrittenAdapter:
    """Write what the repairs of `subnetwork`, all of them LoRA, change into `folder`, the checkpoint of its
    blocks `kept`, which is called `base`."""
    factors = _factors_of(subnetwork, kept)
    ranks = {name: len(one.down) for name, one in factors.items()}
    common = mode(ranks.values())
    # Where several healings stand on each other, and not all of them changed the same modules.
    others = {name: rank for name, rank in ranks.items() if rank != common}
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=common,
        lora_alpha=common,  # The scale is in B.
        rank_pattern=dict(others),
        alpha_pattern=dict(others),
        target_modules=list(factors),
        fan_in_fan_out=all(one.turned for one in factors.values()),
        base_model_name_or_path=base,
        inference_mode=True,
    )
    beside = folder / BESIDE
    config.save_pretrained(str(beside))
    _sort_modules(beside / CONFIG)
    tensors: dict[str, Tensor] = {}
    for name, one in factors.items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = one.down
        tensors[f"base_model.model.{name}.lora_B.weight"] = one.up
    save_file(tensors, beside / WEIGHTS, {"format": "pt"})
    return WrittenAdapter(
        adapter_digest(folder, job.check),
        sum(tensor.numel() for tensor in tensors.values()),
        sum(tensor.nbytes for tensor in tensors.values()),
    )


def adapter_digest(folder: Path, check: Callable[[], None]) -> str:
    """sha256 over the files of the adapter that belongs to the checkpoint in `folder`."""
    return sha256_of_files([folder / BESIDE / CONFIG, folder / BESIDE / WEIGHTS], check)


def load_beside(model: PreTrainedModel, folder: Path) -> None:
    """Put the adapter that belongs to the checkpoint in `folder` beside the modules of `model`, which was
    loaded from it."""
    PeftModel.from_pretrained(model, str(folder / BESIDE))


def _factors_of(subnetwork: Subnetwork, kept: Sequence[int]) -> dict[str, _Factors]:
    """By the module's name in the checkpoint."""
    decoder = subnetwork.decoder
    found = {}
    for index, edit in sorted(subnetwork.edits.items()):
        for parameter, change in sorted(edit.weights.items()):
            name, sums = parameter.removesuffix(".weight"), sums_in(change)
            assert sums is not None
            # A weight kept as (in, out) is changed by the transposed product.
            turned = isinstance(decoder.blocks[index].get_submodule(name), Conv1D)
            down = torch.cat([one.b.T if turned else one.a for one in sums])
            up = torch.cat([(one.a.T if turned else one.b) * one.scale for one in sums], dim=1)
            place = f"{decoder.family.blocks}.{kept.index(index)}.{name}"
            found[place] = _Factors(down.cpu().contiguous(), up.cpu().contiguous(), turned)
    return found


def _sort_modules(path: Path) -> None:
    """peft writes a set in any order; equal adapters are to have equal files."""
    content = json.loads(path.read_text(encoding="utf-8"))
    content["target_modules"] = sorted(content["target_modules"])
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
