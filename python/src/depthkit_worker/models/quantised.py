"""Quantised checkpoints, told by their kind before any weight is read: none of them is taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from depthkit_worker.errors import DepthkitError

KEYS = ("quantization_config", "compression_config")
"""Of config.json, and of its `text_config`; the second is what compressed-tensors first wrote."""

_LOAD = "AutoModelForCausalLM.from_pretrained(folder"
_AGAIN = "Use the checkpoint it was quantised from, and quantise what depthkit exports."
# What each recipe gives was run on tiny models on a CPU.
_DEQUANTISED: Mapping[str, str] = {
    "bitsandbytes": f"with bitsandbytes installed, {_LOAD}).dequantize()",
    "compressed-tensors": f"with compressed-tensors installed, {_LOAD}, "
    "quantization_config=CompressedTensorsConfig(dequantize=True))",
    "fp8": f"{_LOAD}, quantization_config=FineGrainedFP8Config(dequantize=True))",
}
"""Kinds that transformers makes plain weights of, and how."""
_NAMES: Mapping[str, str] = {"gptq": "GPTQ", "awq": "AWQ", "fp8": "FP8"}


def refuse_quantised(folder: Path, content: Mapping[str, Any]) -> None:
    """Refuse a checkpoint whose configuration, `content`, says that its weights are quantised."""
    text = content.get("text_config")
    for part in (content, text if isinstance(text, dict) else {}):
        for key in KEYS:
            if part.get(key) is not None:
                raise _refusal(folder, key, part[key])


def _refusal(folder: Path, key: str, config: object) -> DepthkitError:
    method = _method(key, config)
    if method is None:
        return DepthkitError(
            "MODEL_INVALID",
            f"{folder / 'config.json'} has a {key} that names no quant_method: {str(config)[:80]}. Compare "
            "the file with the one that was published.",
            path=str(folder / "config.json"),
        )
    recipe = _DEQUANTISED.get(method)
    remedy = _AGAIN
    if recipe is not None:
        remedy += (
            f" Without it: transformers makes plain weights of this one, {recipe}; save_pretrained them to a "
            "folder, with the tokenizer. Figures are then those of the quantised weights, in the plain dtype."
        )
    return DepthkitError(
        "MODEL_UNSUPPORTED",
        f"{folder} is quantised by {_NAMES.get(method, method)}, and depthkit takes apart plain weights: its "
        f"repairs read and change them, and its exports would write them otherwise than this kind does. "
        f"{remedy}",
        folder=str(folder),
        quantMethod=method,
    )


def _method(key: str, config: object) -> str | None:
    if not isinstance(config, dict):
        return None
    method = config.get("quant_method")
    if method is None and key == "compression_config":
        return "compressed-tensors"
    if method is None and (config.get("load_in_4bit") or config.get("load_in_8bit")):
        return "bitsandbytes"  # As it was written before kinds had names.
    return method if isinstance(method, str) else None
