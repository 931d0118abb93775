"""Families that are Llama under another name, once nothing of their own is switched on.

Written as Llama, they have a switch for the bias that constants fold into.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from transformers import LlamaConfig, PreTrainedConfig

FAMILIES = ("mistral", "qwen2", "phi3")

_SAME = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "hidden_act",
    "max_position_embeddings",
    "initializer_range",
    "rms_norm_eps",
    "use_cache",
    "pad_token_id",
    "bos_token_id",
    "eos_token_id",
    "tie_word_embeddings",
    "attention_dropout",
)


def not_llama(config: PreTrainedConfig) -> str | None:
    """Why a model of `config` cannot be written as Llama; None where it can."""
    if config.model_type not in FAMILIES:
        return f"{config.model_type} has no feed-forward output bias that could hold a constant"
    types = getattr(config, "layer_types", None) or ()
    if "sliding_attention" in types or (config.model_type != "qwen2" and config.sliding_window is not None):
        return (
            f"this {config.model_type} has sliding windows, so it cannot be written as Llama, which has a "
            "bias"
        )
    rope = config.rope_parameters
    if config.model_type == "phi3" and (
        rope["rope_type"] != "default" or rope["partial_rotary_factor"] != 1.0
    ):
        return "this phi3 scales its rotary positions, so it cannot be written as Llama, which has a bias"
    return None


def llama_config(config: PreTrainedConfig) -> LlamaConfig:
    """The same model's configuration, with zero biases wherever Llama's switches bring them."""
    same = {name: value for name in _SAME if (value := getattr(config, name, None)) is not None}
    rope = {name: value for name, value in config.rope_parameters.items() if name != "partial_rotary_factor"}
    return LlamaConfig(
        **same, rope_parameters=rope, attention_bias=config.model_type == "qwen2", mlp_bias=True
    )


def head_size(config: PreTrainedConfig) -> int:
    """Numbers in a query, a key or a value of one head."""
    return int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)


def llama_tensors(tensors: Mapping[str, Tensor], config: PreTrainedConfig) -> dict[str, Tensor]:
    """Phi-3's joined matrices taken apart: views of the same memory. Other names are the same."""
    heads, groups = config.num_attention_heads, config.num_key_value_heads
    width = head_size(config)
    renamed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith("qkv_proj.weight"):
            parts = torch.split(tensor, [heads * width, groups * width, groups * width])
            for letter, part in zip("qkv", parts, strict=True):
                renamed[name.replace("qkv_proj", f"{letter}_proj")] = part
        elif name.endswith("gate_up_proj.weight"):
            for half, part in zip(("gate", "up"), tensor.chunk(2), strict=True):
                renamed[name.replace("gate_up_proj", f"{half}_proj")] = part
        else:
            renamed[name] = tensor
    return renamed
