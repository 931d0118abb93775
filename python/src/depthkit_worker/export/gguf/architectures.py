"""What llama.cpp makes of each family: its name there, and what it reads or derives from a block's number.
Read from its source; a runtime that ignored any of it would answer wrongly without a word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

DECI = "deci"
"""The architecture whose layers may each lack a sublayer: Llama's shape, with widths and heads by layer."""


@dataclass(frozen=True)
class Architecture:
    name: str
    """`general.architecture`."""
    reads_bias: bool = False
    """Whether its graph adds an output bias of the feed-forward."""
    embedding_enters: bool = True
    """Whether the first block reads a row of the embedding, times a constant at most, and nothing else."""
    has_deci_form: bool = False
    """Whether it is of the shape that `DECI` is of."""
    window_period: int | None = None
    """Blocks of two kinds, which a list in the metadata may name; else every so-many-th is full."""
    fixed_period: int | None = None
    """Blocks of two kinds by their number alone: no metadata says otherwise."""
    scaled_at: int | None = None
    """The number of blocks at which the scale of attention is another."""


_LLAMA = Architecture("llama", reads_bias=True, has_deci_form=True)

ARCHITECTURES: Mapping[str, Architecture] = {
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "mixtral": Architecture("llama"),
    "granite": Architecture("granite", reads_bias=True),
    "smollm3": Architecture("smollm3", fixed_period=4),
    "qwen2": Architecture("qwen2"),
    "qwen3": Architecture("qwen3"),
    "qwen2_moe": Architecture("qwen2moe"),
    "qwen3_moe": Architecture("qwen3moe"),
    "phi3": Architecture("phi3"),
    "olmo2": Architecture("olmo2"),
    "stablelm": Architecture("stablelm"),
    "cohere": Architecture("command-r"),
    "falcon": Architecture("falcon"),
    "starcoder2": Architecture("starcoder2", reads_bias=True),
    "gpt_neox": Architecture("gptneox", reads_bias=True),
    "gpt2": Architecture("gpt2", reads_bias=True, embedding_enters=False),
    "bloom": Architecture("bloom", reads_bias=True, embedding_enters=False),
    "gemma2": Architecture("gemma2", embedding_enters=False, window_period=2, scaled_at=46),
    "gemma3_text": Architecture("gemma3", embedding_enters=False, window_period=6, scaled_at=62),
}
"""By the family's `model_type`."""

LLAMA_TENSORS: Mapping[str, str] = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
"""A block's modules in transformers and in a GGUF of arch llama or deci."""
