"""Sequential blocks with a norm before each sublayer, named as in Llama."""

from __future__ import annotations

from depthkit_worker.models.families.family import Family, Periodic, always

LLAMA = Family("llama", "LlamaForCausalLM", branching=always)
MISTRAL = Family("mistral", "MistralForCausalLM", branching=always)
QWEN2 = Family("qwen2", "Qwen2ForCausalLM", branching=always)
QWEN3 = Family("qwen3", "Qwen3ForCausalLM", branching=always)
PHI3 = Family("phi3", "Phi3ForCausalLM", branching=always)
STARCODER2 = Family("starcoder2", "Starcoder2ForCausalLM", branching=always)

SMOLLM3 = Family(
    "smollm3",
    "SmolLM3ForCausalLM",
    branching=always,
    layer_lists=("layer_types", "no_rope_layers"),
    periodic=Periodic(
        4, "no_rope_layers", ((1, "rope"), (0, "no-rope")), ("llama.cpp",), "no_rope_layer_interval"
    ),
)
GRANITE = Family("granite", "GraniteForCausalLM", branching=always, update_multiplier="residual_multiplier")

FAMILIES = (LLAMA, SMOLLM3, GRANITE, MISTRAL, QWEN2, QWEN3, PHI3, STARCODER2)
