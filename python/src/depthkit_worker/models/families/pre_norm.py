"""Sequential blocks with a norm before each sublayer, named as in Llama."""

from __future__ import annotations

from depthkit_worker.models.families.family import Family

LLAMA = Family("llama", "LlamaForCausalLM")
MISTRAL = Family("mistral", "MistralForCausalLM")
QWEN2 = Family("qwen2", "Qwen2ForCausalLM")
QWEN3 = Family("qwen3", "Qwen3ForCausalLM")
PHI3 = Family("phi3", "Phi3ForCausalLM")
STARCODER2 = Family("starcoder2", "Starcoder2ForCausalLM")

SMOLLM3 = Family("smollm3", "SmolLM3ForCausalLM", layer_lists=("layer_types", "no_rope_layers"))
GRANITE = Family("granite", "GraniteForCausalLM", update_multiplier="residual_multiplier")

FAMILIES = (LLAMA, SMOLLM3, GRANITE, MISTRAL, QWEN2, QWEN3, PHI3, STARCODER2)
