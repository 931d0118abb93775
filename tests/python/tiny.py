"""Random models of every family, small enough to build in milliseconds.

`FAMILY_MODELS` has one entry a wiring: a family whose configuration changes how blocks are wired or
how attention sees positions appears once for each way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    CohereConfig,
    FalconConfig,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPTNeoXConfig,
    GraniteConfig,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    Olmo2Config,
    OPTConfig,
    Phi3Config,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen2MoeConfig,
    Qwen3Config,
    Qwen3MoeConfig,
    SmolLM3Config,
    StableLmConfig,
    Starcoder2Config,
)

DEPTH = 6
VOCABULARY = 96
SMOLLM2_VOCABULARY = 49152

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
MIXED = ("sliding_attention", "sliding_attention", "full_attention") * 2


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


def tiny_model(name: str, seed: int = 0) -> PreTrainedModel:
    """A random model of `FAMILY_MODELS[name]`."""
    return random_model(FAMILY_MODELS[name](), seed)


def random_model(
    config: PreTrainedConfig, seed: int = 0, dtype: torch.dtype = torch.float32
) -> PreTrainedModel:
    """A model whose every parameter is random: vectors (norms, biases) too, or a norm taken at the
    wrong place would go unseen."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config)
    assert isinstance(model, PreTrainedModel)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.15)
            elif name.endswith("bias"):
                nn.init.normal_(parameter, std=0.1)
            else:
                nn.init.uniform_(parameter, 0.5, 1.5)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    model.eval()
    model.requires_grad_(False)
    return model


def t_llama(depth: int = DEPTH, tied: bool = False, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """T-llama, or T-tied, of cases.md."""
    return random_model(t_llama_config(depth, tied), dtype=dtype)


def t_llama_config(depth: int = DEPTH, tied: bool = False) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=SMOLLM2_VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=depth,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        tie_word_embeddings=tied,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )


def t_gemma3() -> PreTrainedModel:
    """T-gemma3 of cases.md: 7 blocks, one of them with full attention."""
    types = ["sliding_attention"] * 5 + ["full_attention", "sliding_attention"]
    shape = {**SHAPE, "num_hidden_layers": 7}
    return random_model(Gemma3TextConfig(**shape, head_dim=8, sliding_window=5, layer_types=types))


def t_smollm3() -> PreTrainedModel:
    """T-smollm3 of cases.md: 8 blocks, no rotary positions in blocks 3 and 7."""
    shape = {**SHAPE, "num_hidden_layers": 8}
    return random_model(SmolLM3Config(**shape, no_rope_layers=[1, 1, 1, 0, 1, 1, 1, 0]))


def t_neox(parallel: bool) -> PreTrainedModel:
    """T-neox-p or T-neox-s of cases.md."""
    return random_model(
        GPTNeoXConfig(**{**NO_GROUPS, "num_hidden_layers": 4}, use_parallel_residual=parallel)
    )


def token_ids(batch: int, sequence: int, vocabulary: int = VOCABULARY, seed: int = 0) -> torch.LongTensor:
    """Random ids, (batch, sequence), without the special tokens 0 to 2."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, vocabulary, (batch, sequence), generator=generator)
    assert isinstance(ids, torch.LongTensor)
    return ids
