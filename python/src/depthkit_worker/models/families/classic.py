"""Decoders from before Llama, each with names and habits of its own. All are sequential."""

from __future__ import annotations

from transformers import PreTrainedConfig

from depthkit_worker.models.families.family import Companions, Family, never


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


def _encoded(config: PreTrainedConfig) -> str | None:
    if config.add_cross_attention:
        return "add_cross_attention is on, and depthkit describes decoders without an encoder"
    return None


_GPT_NORMS = Companions(("ln_1",), ("ln_2",))
GPT2 = Family(
    "gpt2",
    "GPT2LMHeadModel",
    blocks="transformer.h",
    attention="attn",
    after_attention="ln_2",
    companions=_GPT_NORMS,
    final_norm="transformer.ln_f",
    depth_key="n_layer",
    unsupported=_encoded,
)
GPT_BIGCODE = Family(
    "gpt_bigcode",
    "GPTBigCodeForCausalLM",
    blocks="transformer.h",
    attention="attn",
    after_attention="ln_2",
    companions=_GPT_NORMS,
    final_norm="transformer.ln_f",
    depth_key="n_layer",
    unsupported=_encoded,
)
BLOOM = Family(
    "bloom",
    "BloomForCausalLM",
    blocks="transformer.h",
    attention="self_attention",
    final_norm="transformer.ln_f",
    block_returns="tuple",
    attention_adds_residual=True,
    feed_forward_adds_residual=True,
    depth_key="n_layer",
    branching=never,
    unsupported=_bloom_unsupported,
)
MPT = Family(
    "mpt",
    "MptForCausalLM",
    blocks="transformer.blocks",
    attention="attn",
    feed_forward=("ffn",),
    after_attention="norm_2",
    companions=Companions(("norm_1",), ("norm_2",)),
    final_norm="transformer.norm_f",
    block_returns="tuple",
    feed_forward_adds_residual=True,
    depth_key="n_layers",
    branching=never,
)
OPT = Family(
    "opt",
    "OPTForCausalLM",
    blocks="model.decoder.layers",
    feed_forward=("fc1", "activation_fn", "fc2"),
    after_attention="final_layer_norm",
    companions=Companions(("self_attn_layer_norm",), ("final_layer_norm",)),
    final_norm="model.decoder.final_layer_norm",
    unsupported=_opt_unsupported,
)

FAMILIES = (GPT2, GPT_BIGCODE, BLOOM, MPT, OPT)
