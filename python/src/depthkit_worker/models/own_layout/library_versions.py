"""The releases of transformers that a checkpoint in depthkit's own form runs in: every family was run in
those of `RUN` that it can do with, against the logits that the model had in memory."""

from __future__ import annotations

from collections.abc import Mapping

from packaging.version import Version

from depthkit_worker.models.decoder import Decoder

RUN = ("4.48.3", "4.57.6", "5.17.0", "5.24.0")

OLDEST = "4.48"
"""Before it attentions returned three values, which blocks without one do not."""

# Run in all of `RUN`.
_ALL = (
    "llama",
    "granite",
    "mistral",
    "qwen2",
    "phi3",
    "starcoder2",
    "olmo2",
    "cohere",
    "gpt2",
    "falcon",
    "bloom",
)
# What older releases lack: the family itself, blocks that are called alike, tensors laid out as here; in
# Gemma 2 the cap of attention's scores, which they drop without a word.
_OLDEST: Mapping[str, str] = {
    "gemma3_text": "4.57",
    "opt": "4.57",
    "qwen3": "4.57",
    "smollm3": "4.57",
    "stablelm": "4.57",
    "gemma2": "5.24",
    "gpt_neox": "5.17",
    "mixtral": "5.17",
    "qwen2_moe": "5.17",
    "qwen3_moe": "5.17",
}


def oldest(decoder: Decoder) -> str:
    """The oldest release whose answers are known to be those of the model in memory: families that are in
    neither list were run in the last one alone."""
    config, model_type = decoder.config, decoder.family.model_type
    if getattr(config, "scale_attn_by_inverse_layer_idx", False):  # Dropped before, without a word.
        return "5.17"
    if model_type == "qwen2" and "sliding_attention" in config.layer_types:  # The list was not read.
        return "4.57"
    return OLDEST if model_type in _ALL else _OLDEST.get(model_type, "5.24")


def run_with(decoder: Decoder) -> str:
    """The releases it was run with, in words."""
    first = Version(oldest(decoder))
    return " and ".join(release for release in RUN if Version(release) >= first)
