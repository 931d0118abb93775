"""Sequential blocks that norm a sublayer's output before adding it, so an update's size is bounded."""

from __future__ import annotations

from depthkit_worker.models.families.family import Companions, Family, Periodic

_KINDS = (("sliding_attention", "sliding"), ("full_attention", "full"))
_GEMMA2_ORDER = Periodic(2, "layer_types", _KINDS, ("llama.cpp",), "sliding_window_pattern")
_GEMMA3_ORDER = Periodic(
    6, "layer_types", _KINDS, ("llama.cpp", "MLX"), "sliding_window_pattern", reads_period_key=("MLX",)
)
_EXAONE4_ORDER = Periodic(4, "layer_types", _KINDS, ("llama.cpp", "MLX"), "sliding_window_pattern")

# Gemma norms before and after a sublayer; its post_attention_layernorm reads a_l alone.
_GEMMA_NORMS = Companions(
    ("input_layernorm", "post_attention_layernorm"),
    ("pre_feedforward_layernorm", "post_feedforward_layernorm"),
)
GEMMA2 = Family(
    "gemma2",
    "Gemma2ForCausalLM",
    after_attention="pre_feedforward_layernorm",
    companions=_GEMMA_NORMS,
    norms_updates=True,
    periodic=_GEMMA2_ORDER,
)
GEMMA3 = Family(
    "gemma3_text",
    "Gemma3ForCausalLM",
    after_attention="pre_feedforward_layernorm",
    companions=_GEMMA_NORMS,
    norms_updates=True,
    periodic=_GEMMA3_ORDER,
)
GLM4 = Family(
    "glm4",
    "Glm4ForCausalLM",
    companions=Companions(
        ("input_layernorm", "post_self_attn_layernorm"), ("post_attention_layernorm", "post_mlp_layernorm")
    ),
    norms_updates=True,
)

# OLMo 2 norms after a sublayer only, so the feed-forward reads the residual stream itself.
_NORMS_AFTER = Companions(("post_attention_layernorm",), ("post_feedforward_layernorm",))
OLMO2 = Family(
    "olmo2", "Olmo2ForCausalLM", after_attention="mlp", companions=_NORMS_AFTER, norms_updates=True
)
OLMO3 = Family(
    "olmo3", "Olmo3ForCausalLM", after_attention="mlp", companions=_NORMS_AFTER, norms_updates=True
)
EXAONE4 = Family(
    "exaone4",
    "Exaone4ForCausalLM",
    after_attention="mlp",
    companions=_NORMS_AFTER,
    norms_updates=True,
    periodic=_EXAONE4_ORDER,
)

FAMILIES = (GEMMA2, GEMMA3, GLM4, OLMO2, OLMO3, EXAONE4)
