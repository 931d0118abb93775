"""The language model of a checkpoint that reads images too, as a decoder by itself.

Between text tokens it computes what the whole does, bit for bit: three positions that are equal (Qwen's,
for time, height and width) are one, and no mask is open where there is no image.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from transformers import AutoConfig, PreTrainedConfig

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.families import FAMILIES
from depthkit_worker.models.stored_weights import StoredWeights

_AS_NAMED = {name: name for name in FAMILIES}

WHOLES: Mapping[str, Mapping[str, str]] = {
    "gemma3": {"gemma3_text": "gemma3_text"},
    "qwen2_vl": {"qwen2_vl_text": "qwen2"},
    "qwen2_5_vl": {"qwen2_5_vl_text": "qwen2"},
    "qwen3_vl": {"qwen3_vl_text": "qwen3"},
    "qwen3_vl_moe": {"qwen3_vl_moe_text": "qwen3_moe"},
    "llava": _AS_NAMED,
    "llava_next": _AS_NAMED,
    "mistral3": _AS_NAMED,
}
"""By the checkpoint's `model_type`: what its language model is called there, and the family that it is of."""

# What a language model by itself calls its tensors, from what checkpoints of each age call them.
RENAMED = {
    r"^language_model\.model\.": "model.",
    r"^language_model\.lm_head\.": "lm_head.",
    r"^model\.language_model\.": "model.",
}
_TEXT = re.compile(r"model\.(embed_tokens|layers|norm)\.|lm_head\.")
_IMAGE_ROPE = ("mrope_section", "mrope_interleaved")
NAMED = 3


def own_name(name: str) -> str | None:
    """What the language model by itself calls a stored tensor; None where it is none of its own."""
    for pattern, replacement in RENAMED.items():
        name = re.sub(pattern, replacement, name)
    return name if _TEXT.match(name) else None


def text_tensors(stored: StoredWeights) -> tuple[StoredWeights, frozenset[str]]:
    """The language model's own tensors, as it calls them by itself, and the names of the others in the
    files."""
    own = {name: own_name(name) for name in stored.tensors}
    tensors = {mine: stored.tensors[name] for name, mine in own.items() if mine is not None}
    return replace(stored, tensors=tensors), frozenset(name for name, mine in own.items() if mine is None)


def text_note(folder: Path, whole: str, config: PreTrainedConfig, outside: frozenset[str]) -> str:
    shown = ", ".join(sorted(outside)[:NAMED])
    return (
        f"{folder} is a {whole} checkpoint, and its language model was loaded, a {config.model_type} by "
        f"itself: figures are of text, and an export holds the language model alone, unless it is asked for "
        f"`vision`. The other {len(outside):,} tensors, such as {shown}, were not loaded."
    )


def text_config(folder: Path, whole: PreTrainedConfig) -> PreTrainedConfig:
    """The configuration of the language model by itself."""
    text = whole.get_text_config(decoder=True)
    families = WHOLES[whole.model_type]
    family = families.get(text.model_type)
    if family is None:
        raise DepthkitError(
            "MODEL_UNSUPPORTED",
            f"The language model of {folder} has the architecture {text.model_type!r}, which depthkit does "
            f"not know in a {whole.model_type} checkpoint. It knows {', '.join(sorted(families))} there.",
            modelType=text.model_type,
            known=sorted(families),
        )
    content: dict[str, Any] = text.to_dict()
    content.pop("model_type", None)
    rope = content.get("rope_parameters")
    if isinstance(rope, dict):
        content["rope_parameters"] = {key: value for key, value in rope.items() if key not in _IMAGE_ROPE}
    # The whole model ties by its own field.
    content["tie_word_embeddings"] = bool(whole.tie_word_embeddings)
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        if content.get(name) is None:
            content[name] = getattr(whole, name, None)
    content["dtype"] = content.get("dtype") or whole.dtype
    return AutoConfig.for_model(family, **content)
