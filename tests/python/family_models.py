"""Small configurations of every family, one entry per wiring: a family whose configuration changes how blocks
are wired or how attention sees positions appears once for each way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import (
    ApertusConfig,
    ArceeConfig,
    BloomConfig,
    Cohere2Config,
    CohereConfig,
    DeepseekV3Config,
    Ernie4_5Config,
    Exaone4Config,
    FalconConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    Glm4Config,
    Glm4MoeConfig,
    GlmConfig,
    GPT2Config,
    GPTBigCodeConfig,
    GPTJConfig,
    GPTNeoXConfig,
    GptOssConfig,
    GraniteConfig,
    GraniteMoeConfig,
    HeliumConfig,
    HunYuanDenseV1Config,
    LlamaConfig,
    Ministral3Config,
    MinistralConfig,
    MistralConfig,
    MixtralConfig,
    MptConfig,
    NemotronConfig,
    Olmo2Config,
    Olmo3Config,
    OlmoConfig,
    OlmoeConfig,
    OPTConfig,
    PersimmonConfig,
    Phi3Config,
    PhiConfig,
    PreTrainedConfig,
    Qwen2Config,
    Qwen2MoeConfig,
    Qwen3Config,
    Qwen3MoeConfig,
    SeedOssConfig,
    SmolLM3Config,
    StableLmConfig,
    Starcoder2Config,
)

DEPTH = 6
VOCABULARY = 96

# Shapes that nearly all configurations name alike; the special token ids must lie inside the vocabulary.
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": DEPTH,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
NO_GROUPS = {key: value for key, value in SHAPE.items() if key != "num_key_value_heads"}
EXPERTS: dict[str, Any] = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
TOKENS: dict[str, Any] = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
ROUTED: dict[str, Any] = {
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 24,
    "n_shared_experts": 1,
    "n_group": 2,
    "topk_group": 1,
}
MIXED = ("sliding_attention", "sliding_attention", "full_attention") * 2


_YARN: dict[str, Any] = {
    "rope_type": "yarn",
    "rope_theta": 1e4,
    "factor": 4.0,
    "original_max_position_embeddings": 64,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
    "llama_4_scaling_beta": 0.1,
}


def _part(share: float) -> dict[str, Any]:
    """Rotary positions of a share of each head."""
    return {"rope_type": "default", "rope_theta": 1e4, "partial_rotary_factor": share}


def _falcon(**options: Any) -> FalconConfig:
    shape = {key: value for key, value in NO_GROUPS.items() if key != "intermediate_size"}
    return FalconConfig(**shape, **options)


FAMILY_MODELS: dict[str, Callable[[], PreTrainedConfig]] = {
    "llama": lambda: LlamaConfig(**SHAPE),
    "llama-tied": lambda: LlamaConfig(**SHAPE, tie_word_embeddings=True),
    "smollm3": lambda: SmolLM3Config(**SHAPE, no_rope_layers=[1, 1, 1, 0, 1, 0]),
    "granite": lambda: GraniteConfig(
        **SHAPE,
        residual_multiplier=0.4,
        embedding_multiplier=2.0,
        logits_scaling=3.0,
        attention_multiplier=0.2,
    ),
    "mistral": lambda: MistralConfig(**SHAPE, sliding_window=None),
    "mistral-sliding": lambda: MistralConfig(**SHAPE, sliding_window=5),
    "qwen2": lambda: Qwen2Config(**SHAPE),
    "qwen2-sliding": lambda: Qwen2Config(
        **SHAPE, use_sliding_window=True, sliding_window=5, layer_types=list(MIXED)
    ),
    "qwen3": lambda: Qwen3Config(**SHAPE, head_dim=8),
    "phi3": lambda: Phi3Config(**SHAPE, sliding_window=None),
    "starcoder2": lambda: Starcoder2Config(**SHAPE, sliding_window=None),
    "mixtral": lambda: MixtralConfig(
        **SHAPE, num_local_experts=4, num_experts_per_tok=2, sliding_window=None
    ),
    "qwen2_moe": lambda: Qwen2MoeConfig(
        **SHAPE, **EXPERTS, shared_expert_intermediate_size=24, mlp_only_layers=[1, 4], decoder_sparse_step=1
    ),
    "qwen3_moe": lambda: Qwen3MoeConfig(**SHAPE, **EXPERTS, mlp_only_layers=[2], decoder_sparse_step=2),
    "gemma2": lambda: Gemma2Config(**SHAPE, head_dim=8, sliding_window=5, layer_types=list(MIXED)),
    "gemma3_text": lambda: Gemma3TextConfig(
        **SHAPE, head_dim=8, sliding_window=5, layer_types=list(MIXED), final_logit_softcapping=20.0
    ),
    "olmo2": lambda: Olmo2Config(**SHAPE),
    "cohere": lambda: CohereConfig(**SHAPE, logit_scale=0.5),
    "stablelm": lambda: StableLmConfig(**SHAPE, use_parallel_residual=False),
    "stablelm-parallel": lambda: StableLmConfig(**SHAPE, use_parallel_residual=True),
    "gpt2": lambda: GPT2Config(
        vocab_size=VOCABULARY, n_embd=32, n_layer=DEPTH, n_head=4, n_positions=256, **TOKENS
    ),
    "gpt2-inverse-scaling": lambda: GPT2Config(
        vocab_size=VOCABULARY,
        n_embd=32,
        n_layer=DEPTH,
        n_head=4,
        n_positions=256,
        scale_attn_by_inverse_layer_idx=True,
        **TOKENS,
    ),
    "gpt_neox": lambda: GPTNeoXConfig(**NO_GROUPS, use_parallel_residual=False),
    "gpt_neox-parallel": lambda: GPTNeoXConfig(**NO_GROUPS, use_parallel_residual=True),
    "falcon": lambda: _falcon(new_decoder_architecture=False, parallel_attn=False, multi_query=False),
    "falcon-parallel": lambda: _falcon(new_decoder_architecture=False, parallel_attn=True, multi_query=True),
    "falcon-new": lambda: _falcon(new_decoder_architecture=True, num_kv_heads=2),
    "falcon-alibi": lambda: _falcon(new_decoder_architecture=False, parallel_attn=False, alibi=True),
    "ministral": lambda: MinistralConfig(**SHAPE, head_dim=8, sliding_window=5, layer_types=list(MIXED)),
    "ministral3": lambda: Ministral3Config(**SHAPE, head_dim=8, rope_parameters=dict(_YARN)),
    "gemma": lambda: GemmaConfig(**SHAPE, head_dim=8),
    "olmo": lambda: OlmoConfig(**SHAPE, clip_qkv=3.0, tie_word_embeddings=True),
    "glm": lambda: GlmConfig(**SHAPE, head_dim=8, rope_parameters=_part(0.5)),
    "ernie4_5": lambda: Ernie4_5Config(**SHAPE, head_dim=8, use_bias=True),
    "hunyuan_v1_dense": lambda: HunYuanDenseV1Config(**SHAPE, head_dim=8, attention_bias=True),
    "nemotron": lambda: NemotronConfig(**SHAPE, attention_bias=True, rope_parameters=_part(0.5)),
    "seed_oss": lambda: SeedOssConfig(**SHAPE, head_dim=8, attention_out_bias=True),
    "arcee": lambda: ArceeConfig(**SHAPE, mlp_bias=True),
    "helium": lambda: HeliumConfig(**SHAPE, head_dim=8, attention_bias=True),
    "persimmon": lambda: PersimmonConfig(**NO_GROUPS, rope_parameters=_part(0.5)),
    "apertus": lambda: ApertusConfig(**SHAPE, attention_bias=True),
    "olmoe": lambda: OlmoeConfig(**SHAPE, num_experts=4, num_experts_per_tok=2, clip_qkv=2.0),
    "granitemoe": lambda: GraniteMoeConfig(
        **SHAPE,
        num_local_experts=4,
        num_experts_per_tok=2,
        residual_multiplier=0.5,
        embedding_multiplier=2.0,
        logits_scaling=3.0,
        attention_multiplier=0.3,
    ),
    "gpt_oss": lambda: GptOssConfig(
        **SHAPE, head_dim=8, num_local_experts=4, num_experts_per_tok=2, sliding_window=5
    ),
    "deepseek_v3": lambda: DeepseekV3Config(
        **{**SHAPE, "num_key_value_heads": 4},
        **ROUTED,
        first_k_dense_replace=3,
        kv_lora_rank=8,
        q_lora_rank=16,
        qk_rope_head_dim=4,
        v_head_dim=8,
        qk_nope_head_dim=8,
    ),
    "glm4_moe": lambda: Glm4MoeConfig(
        **SHAPE,
        **ROUTED,
        first_k_dense_replace=2,
        use_qk_norm=True,
        attention_bias=True,
        rope_parameters=_part(0.5),
    ),
    "glm4": lambda: Glm4Config(**SHAPE, head_dim=8, rope_parameters=_part(0.5)),
    "olmo3": lambda: Olmo3Config(**SHAPE, sliding_window=5, layer_types=list(MIXED)),
    "exaone4": lambda: Exaone4Config(**SHAPE, sliding_window=5, layer_types=list(MIXED)),
    "cohere2": lambda: Cohere2Config(**SHAPE, logit_scale=0.5, sliding_window=5, layer_types=list(MIXED)),
    "phi": lambda: PhiConfig(**SHAPE, qk_layernorm=True, rope_parameters=_part(0.5)),
    "gptj": lambda: GPTJConfig(
        vocab_size=VOCABULARY, n_embd=32, n_layer=DEPTH, n_head=4, n_positions=256, rotary_dim=4, **TOKENS
    ),
    "gpt_bigcode": lambda: GPTBigCodeConfig(
        vocab_size=VOCABULARY, n_embd=32, n_layer=DEPTH, n_head=4, n_positions=256, **TOKENS
    ),
    "mpt": lambda: MptConfig(
        vocab_size=VOCABULARY, d_model=32, n_layers=DEPTH, n_heads=4, max_seq_len=256, **TOKENS
    ),
    "bloom": lambda: BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=DEPTH, n_head=4, **TOKENS),
    "opt": lambda: OPTConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        ffn_dim=48,
        num_hidden_layers=DEPTH,
        num_attention_heads=4,
        max_position_embeddings=256,
        word_embed_proj_dim=32,
        **TOKENS,
    ),
}

NORMED = ("gemma2", "gemma3_text", "olmo2", "glm4", "olmo3", "exaone4")
"""A norm stands between a sublayer and the stream."""
MIXTURES = (
    "mixtral",
    "qwen2_moe",
    "qwen3_moe",
    "olmoe",
    "granitemoe",
    "gpt_oss",
    "deepseek_v3",
    "glm4_moe",
)
"""Their feed-forwards choose experts, so that logits jump where a choice turns."""
