"""depthkit's own checkpoint form in mlx-lm: `modelling/modeling_depthkit_mlx.py`, which travels as it is
beside the modelling file for transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

MLX_FILE = "modeling_depthkit_mlx.py"
MODEL_FILE_KEY = "model_file"
"""Of config.json: where mlx-lm looks for the name of a modelling file."""

_FAMILIES = ("llama", "mistral", "qwen2", "qwen3")
_ROPES = ("default", "linear", "llama3")


def mlx_text() -> str:
    return (Path(__file__).parent / "modelling" / MLX_FILE).read_text(encoding="utf-8")


def not_mlx(config: PreTrainedConfig) -> str | None:
    """Why mlx-lm's own blocks do not compute what a model of `config` does; None where they do."""
    kind = config.model_type
    if kind not in _FAMILIES:
        return f"its modelling file for mlx-lm knows blocks of Llama's shape ({', '.join(_FAMILIES)}) alone"
    if "sliding_attention" in (getattr(config, "layer_types", None) or ()) or (
        kind == "mistral" and config.sliding_window is not None
    ):
        return f"mlx-lm's {kind} has no sliding windows"
    rope: dict[str, Any] = config.rope_parameters
    if rope["rope_type"] not in _ROPES or rope.get("partial_rotary_factor", 1.0) != 1.0:
        return f"mlx-lm computes its rotary positions ({rope['rope_type']}) in another way"
    if config.hidden_act != "silu":
        return f"mlx-lm's {kind} has silu in its feed-forwards, not {config.hidden_act}"
    size = config.hidden_size // config.num_attention_heads
    if kind == "qwen3" and config.attention_bias:
        return "mlx-lm's qwen3 has no biases in its attentions"
    if kind == "qwen2" and getattr(config, "head_dim", None) not in (None, size):
        return f"mlx-lm's qwen2 has heads of {size}, which is hidden size by heads"
    return None
