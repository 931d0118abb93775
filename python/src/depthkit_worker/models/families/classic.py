"""Decoders from before Llama, each with names and habits of its own. All are sequential."""

from __future__ import annotations

from transformers import PreTrainedConfig

from depthkit_worker.models.families.family import Family, always


def _bloom_unsupported(config: PreTrainedConfig) -> str | None:
    if config.apply_residual_connection_post_layernorm:
        return (
            "apply_residual_connection_post_layernorm is on, so a removed sublayer would still norm the "
            "stream"
        )
    return None


def _opt_unsupported(config: PreTrainedConfig) -> str | None:
    if not config.do_layer_norm_before:
        return (
            "do_layer_norm_before is off (as in opt-350m), so a removed sublayer would still norm the stream"
        )
    return None


def _gpt2_unsupported(config: PreTrainedConfig) -> str | None:
    if config.add_cross_attention:
        return "add_cross_attention is on, and depthkit describes decoders without an encoder"
    return None


GPT2 = Family(
    "gpt2",
    "GPT2LMHeadModel",
    blocks="transformer.h",
    attention="attn",
    after_attention="ln_2",
    final_norm="transformer.ln_f",
    depth_key="n_layer",
    branching=always,
    unsupported=_gpt2_unsupported,
)
BLOOM = Family(
    "bloom",
    "BloomForCausalLM",
    blocks="transformer.h",
    attention="self_attention",
    final_norm="transformer.ln_f",
    block_returns="tuple",
    sublayers_add_residual=True,
    depth_key="n_layer",
    unsupported=_bloom_unsupported,
)
OPT = Family(
    "opt",
    "OPTForCausalLM",
    blocks="model.decoder.layers",
    feed_forward=("fc1", "activation_fn", "fc2"),
    after_attention="final_layer_norm",
    final_norm="model.decoder.final_layer_norm",
    branching=always,
    unsupported=_opt_unsupported,
)

FAMILIES = (GPT2, BLOOM, OPT)
