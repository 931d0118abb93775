"""LoRA adapters as peft saves them, and damage to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from tiny import t_llama

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def made(
    folder: Path,
    tied: bool = False,
    depth: int = 6,
    model: PreTrainedModel | None = None,
    **options: Any,
) -> Path:
    """An adapter that changes the model much, as peft saves it."""
    options = {"r": 4, "target_modules": ["q_proj", "down_proj"], "task_type": "CAUSAL_LM", **options}
    wrapped = get_peft_model(t_llama(depth, tied) if model is None else model, LoraConfig(**options))
    torch.manual_seed(1)
    for name, parameter in wrapped.named_parameters():
        if "lora_B" in name or "modules_to_save" in name:
            nn.init.normal_(parameter, std=0.2)
    wrapped.save_pretrained(str(folder))
    return folder


def change_config(**changes: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        content = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps({**content, **changes}))

    return change


def change_tensors(change: Callable[[dict[str, Tensor]], object]) -> Callable[[Path], object]:
    def changed(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS)

    return changed
