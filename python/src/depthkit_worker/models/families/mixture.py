"""Mixtures of experts: Llama's wiring, with a router and experts as the feed-forward sublayer."""

from __future__ import annotations

from depthkit_worker.models.families.family import Family, Periodic

# Its feed-forward returns the router's scores beside what it adds. Windows alternate by the block's number.
GPT_OSS = Family(
    "gpt_oss",
    "GptOssForCausalLM",
    feed_forward_returns="tuple",
    periodic=Periodic(
        2,
        "layer_types",
        (("sliding_attention", "sliding"), ("full_attention", "full")),
        ("llama.cpp",),
        "sliding_window_pattern",
    ),
)
GRANITE_MOE = Family(
    "granitemoe",
    "GraniteMoeForCausalLM",
    feed_forward=("block_sparse_moe",),
    update_multiplier="residual_multiplier",
)

FAMILIES = (
    Family("mixtral", "MixtralForCausalLM"),
    Family("qwen2_moe", "Qwen2MoeForCausalLM", dense_blocks="mlp_only_layers"),
    Family("qwen3_moe", "Qwen3MoeForCausalLM", dense_blocks="mlp_only_layers"),
    Family("olmoe", "OlmoeForCausalLM"),
    Family("deepseek_v3", "DeepseekV3ForCausalLM", dense_blocks="first_k_dense_replace"),
    Family("glm4_moe", "Glm4MoeForCausalLM", dense_blocks="first_k_dense_replace"),
    GRANITE_MOE,
    GPT_OSS,
)
