"""Families whose sublayers may both read the block's input; in most the configuration decides."""

from __future__ import annotations

from transformers import PreTrainedConfig

from depthkit_worker.models.families.family import Companions, Family, Periodic, always


def _parallel_residual(config: PreTrainedConfig) -> bool:
    return bool(config.use_parallel_residual)


def _falcon_parallel(config: PreTrainedConfig) -> bool:
    return bool(config.new_decoder_architecture or config.parallel_attn)


def _falcon_rotary(config: PreTrainedConfig) -> bool:
    return not config.alibi


# Their llama.cpp files have the order of kinds written out; MLX goes by the block's number.
_COHERE2_ORDER = Periodic(
    4,
    "layer_types",
    (("sliding_attention", "sliding"), ("full_attention", "full")),
    ("MLX",),
    "sliding_window_pattern",
    reads_period_key=("MLX",),
)

COHERE = Family("cohere", "CohereForCausalLM", parallel=always, logit_multiplier="logit_scale")
COHERE2 = Family(
    "cohere2",
    "Cohere2ForCausalLM",
    parallel=always,
    logit_multiplier="logit_scale",
    periodic=_COHERE2_ORDER,
)
STABLELM = Family("stablelm", "StableLmForCausalLM", parallel=_parallel_residual)
PHI = Family("phi", "PhiForCausalLM", final_norm="model.final_layernorm", parallel=always)
GPTJ = Family(
    "gptj",
    "GPTJForCausalLM",
    blocks="transformer.h",
    attention="attn",
    final_norm="transformer.ln_f",
    parallel=always,
    depth_key="n_layer",
)
GPT_NEOX = Family(
    "gpt_neox",
    "GPTNeoXForCausalLM",
    blocks="gpt_neox.layers",
    attention="attention",
    final_norm="gpt_neox.final_layer_norm",
    companions_in_parallel=Companions(("input_layernorm",), ("post_attention_layernorm",)),
    parallel=_parallel_residual,
)
FALCON = Family(
    "falcon",
    "FalconForCausalLM",
    blocks="transformer.h",
    attention="self_attention",
    final_norm="transformer.ln_f",
    companions_in_parallel=Companions(("ln_attn",), ("ln_mlp",)),
    parallel=_falcon_parallel,
    block_returns="tuple",
    branching=_falcon_rotary,
)

FAMILIES = (COHERE, COHERE2, STABLELM, PHI, GPTJ, GPT_NEOX, FALCON)
