"""Adapters (LoRA and its kin) that lie in a model's folder: named, and never applied.

transformers applies an adapter that lies beside the weights without a word. Figures would be those of another
model than the weights' digest names, so only the plain weights are loaded, and a note says so. What is asked
for as an adapter is merged (merged_adapter.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.json_files import read_json_object

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")

BESIDE = "adapter"
"""The folder of an export in which an adapter lies that belongs to its weights, which are packed."""

NOT_APPLIED: dict[str, Any] = {"adapter_kwargs": {"subfolder": "adapters-are-not-applied"}}
"""For `from_pretrained`: where it looks for an adapter. It has no switch of its own, and this folder is in no
checkpoint."""


def is_adapter(folder: Path) -> bool:
    """Whether it is an adapter's, and of nothing else that depthkit writes."""
    return (folder / CONFIG).is_file() and not (folder / "repair.json").exists()


def adapter_notes(folder: Path) -> tuple[str, ...]:
    """What to know of an adapter beside the weights of `folder`."""
    if (folder / BESIDE / CONFIG).is_file():
        return (
            f"{folder} was exported with a LoRA adapter that belongs to it, in {folder / BESIDE}, and it was "
            "not applied: its weights are packed, and nothing is merged into them. The model's figures are "
            "those of the weights without it. To have both, load the adapter as a subnetwork of this model "
            f"(`model.loadSubnetwork`, --subnetwork {folder / BESIDE}).",
        )
    found = _found(folder)
    if not found:
        return ()
    return (
        f"{folder} holds an adapter beside the model's weights ({', '.join(found)}), and it was not applied: "
        f"all figures are those of the weights without it. To merge it, give the folder as `adapter` "
        "(--adapter) too.",
    )


def refuse_adapter_alone(folder: Path) -> None:
    """Refuse a folder without a model as one that holds an adapter, if it does."""
    found = _found(folder)
    if not found:
        return
    kind, base = _described(folder)
    raise DepthkitError(
        "MODEL_INVALID",
        f"{folder} holds no model but an adapter for one ({', '.join(found)}): {kind} of {base}. Load that "
        "model, and give this folder as `adapter` (--adapter) to have it merged.",
        folder=str(folder),
        base=base,
    )


def _found(folder: Path) -> list[str]:
    return [name for name in (CONFIG, *WEIGHTS) if (folder / name).is_file()]


def _described(folder: Path) -> tuple[str, str]:
    """What kind of adapter it is, and the model it was made for."""
    content: dict[str, Any] = {}
    if (folder / CONFIG).is_file():
        content = read_json_object(folder / CONFIG)
    kind, base = content.get("peft_type"), content.get("base_model_name_or_path")
    return (
        f"a {kind} adapter" if isinstance(kind, str) and kind else "an adapter",
        base if isinstance(base, str) and base else "a model that it does not name",
    )
