"""Random models of every family, small enough to build in milliseconds."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    Gemma3TextConfig,
    GPTNeoXConfig,
    LlamaConfig,
    PreTrainedConfig,
    PreTrainedModel,
    SmolLM3Config,
)

from family_models import DEPTH, EXPERTS, FAMILY_MODELS, NO_GROUPS, SHAPE, VOCABULARY

__all__ = ["DEPTH", "EXPERTS", "FAMILY_MODELS", "NO_GROUPS", "SHAPE", "VOCABULARY"]

SMOLLM2_VOCABULARY = 49152


def tiny_model(name: str, seed: int = 0) -> PreTrainedModel:
    """A random model of `FAMILY_MODELS[name]`."""
    return random_model(FAMILY_MODELS[name](), seed)


def random_model(
    config: PreTrainedConfig,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    build: Callable[[PreTrainedConfig], PreTrainedModel] = AutoModelForCausalLM.from_config,
) -> PreTrainedModel:
    """A model whose every parameter is random: vectors (norms, biases) too, or a norm taken at the
    wrong place would go unseen."""
    torch.manual_seed(seed)
    model = build(config)
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
