"""Families whose sublayers may both read the block's input; in most the configuration decides."""

from __future__ import annotations

from transformers import PreTrainedConfig

from depthkit_worker.models.families.family import Family, always


def _parallel_residual(config: PreTrainedConfig) -> bool:
    return bool(config.use_parallel_residual)


def _falcon_parallel(config: PreTrainedConfig) -> bool:
    return bool(config.new_decoder_architecture or config.parallel_attn)


def _falcon_rotary(config: PreTrainedConfig) -> bool:
    return not config.alibi


COHERE = Family("cohere", "CohereForCausalLM", parallel=always, branching=always)
STABLELM = Family("stablelm", "StableLmForCausalLM", parallel=_parallel_residual, branching=always)
GPT_NEOX = Family(
    "gpt_neox",
    "GPTNeoXForCausalLM",
    blocks="gpt_neox.layers",
    attention="attention",
    final_norm="gpt_neox.final_layer_norm",
    parallel=_parallel_residual,
    branching=always,
)
FALCON = Family(
    "falcon",
    "FalconForCausalLM",
    blocks="transformer.h",
    attention="self_attention",
    final_norm="transformer.ln_f",
    parallel=_falcon_parallel,
    block_returns="tuple",
    branching=_falcon_rotary,
)

FAMILIES = (COHERE, STABLELM, GPT_NEOX, FALCON)
