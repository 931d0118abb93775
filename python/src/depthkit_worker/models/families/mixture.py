"""Mixtures of experts: Llama's wiring, with a router and experts as the feed-forward sublayer."""

from __future__ import annotations

from depthkit_worker.models.families.family import Family, always

MIXTRAL = Family("mixtral", "MixtralForCausalLM", branching=always)
QWEN2_MOE = Family("qwen2_moe", "Qwen2MoeForCausalLM", branching=always, dense_blocks="mlp_only_layers")
QWEN3_MOE = Family("qwen3_moe", "Qwen3MoeForCausalLM", branching=always, dense_blocks="mlp_only_layers")

FAMILIES = (MIXTRAL, QWEN2_MOE, QWEN3_MOE)
