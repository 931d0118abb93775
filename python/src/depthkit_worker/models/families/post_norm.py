"""Sequential blocks that norm a sublayer's output before adding it, so an update's size is bounded."""

from __future__ import annotations

from depthkit_worker.models.families.family import Family, Periodic, always

_KINDS = (("sliding_attention", "sliding"), ("full_attention", "full"))
_GEMMA2_ORDER = Periodic(2, "layer_types", _KINDS, ("llama.cpp",), "sliding_window_pattern")
_GEMMA3_ORDER = Periodic(
    6, "layer_types", _KINDS, ("llama.cpp", "MLX"), "sliding_window_pattern", reads_period_key=("MLX",)
)

# Gemma norms before and after a sublayer; its post_attention_layernorm reads a_l alone.
GEMMA2 = Family(
    "gemma2",
    "Gemma2ForCausalLM",
    branching=always,
    after_attention="pre_feedforward_layernorm",
    periodic=_GEMMA2_ORDER,
)
GEMMA3 = Family(
    "gemma3_text",
    "Gemma3ForCausalLM",
    branching=always,
    after_attention="pre_feedforward_layernorm",
    periodic=_GEMMA3_ORDER,
)

# OLMo 2 norms after a sublayer only, so the feed-forward reads the residual stream itself.
OLMO2 = Family("olmo2", "Olmo2ForCausalLM", branching=always, after_attention="mlp")

FAMILIES = (GEMMA2, GEMMA3, OLMO2)
