"""Sequential blocks with a norm before each sublayer, named as in Llama."""

from __future__ import annotations

from depthkit_worker.models.families.family import Companions, Family, Periodic

SMOLLM3 = Family(
    "smollm3",
    "SmolLM3ForCausalLM",
    layer_lists=("layer_types", "no_rope_layers"),
    periodic=Periodic(
        4, "no_rope_layers", ((1, "rope"), (0, "no-rope")), ("llama.cpp",), "no_rope_layer_interval"
    ),
)
APERTUS = Family(
    "apertus",
    "ApertusForCausalLM",
    after_attention="feedforward_layernorm",
    companions=Companions(("attention_layernorm",), ("feedforward_layernorm",)),
)

FAMILIES = (
    Family("llama", "LlamaForCausalLM"),
    SMOLLM3,
    Family("granite", "GraniteForCausalLM", update_multiplier="residual_multiplier"),
    Family("mistral", "MistralForCausalLM"),
    Family("ministral", "MinistralForCausalLM"),
    Family("ministral3", "Ministral3ForCausalLM"),
    Family("qwen2", "Qwen2ForCausalLM"),
    Family("qwen3", "Qwen3ForCausalLM"),
    Family("phi3", "Phi3ForCausalLM"),
    Family("starcoder2", "Starcoder2ForCausalLM"),
    Family("gemma", "GemmaForCausalLM"),
    Family("olmo", "OlmoForCausalLM"),
    Family("glm", "GlmForCausalLM"),
    Family("ernie4_5", "Ernie4_5ForCausalLM"),
    Family("hunyuan_v1_dense", "HunYuanDenseV1ForCausalLM"),
    Family("nemotron", "NemotronForCausalLM"),
    Family("seed_oss", "SeedOssForCausalLM"),
    Family("arcee", "ArceeForCausalLM"),
    Family("helium", "HeliumForCausalLM"),
    Family("persimmon", "PersimmonForCausalLM", final_norm="model.final_layernorm"),
    APERTUS,
)
