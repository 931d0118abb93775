"""What of a configuration has an entry per block, or counts blocks."""

from __future__ import annotations

from typing import Any

from transformers import PreTrainedConfig

from depthkit_worker.models.families import Family

# Lists that may happen to be as long as the model is deep and have nothing to do with its blocks.
NEVER_PER_BLOCK = frozenset(
    {
        "architectures",
        "eos_token_id",
        "bos_token_id",
        "pad_token_id",
        "suppress_tokens",
        "begin_suppress_tokens",
    }
)


def is_per_block(name: str, value: Any, depth: int, family: Family) -> bool:
    """Whether the field has an entry for each of `depth` blocks, as far as depthkit can tell."""
    if not isinstance(value, list) or len(value) != depth:
        return False
    return name not in NEVER_PER_BLOCK and name != family.dense_blocks


def is_dense(config: PreTrainedConfig, key: str, index: int) -> bool:
    """Mixture of experts: whether the feed-forward of block `index` has no experts."""
    if key == "first_k_dense_replace":
        return index < int(getattr(config, key))
    listed, step = getattr(config, key) or (), int(config.decoder_sparse_step)
    return index in listed or config.num_experts == 0 or (index + 1) % step != 0
