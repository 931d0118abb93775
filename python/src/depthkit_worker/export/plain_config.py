"""The configuration of a model whose removed blocks are gone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig

from depthkit_worker.models.families import Family
from depthkit_worker.models.per_block import is_dense, is_per_block

_NEVER_COPIED = ("architectures", "dtype", "model_type", "quantization_config", "transformers_version")

Fields = Mapping[str, int | None]
"""Fields of a configuration file to set; None: to leave out."""


@dataclass(frozen=True)
class CutConfig:
    config: PreTrainedConfig
    warnings: tuple[str, ...]


def cut_config(config: PreTrainedConfig, family: Family, kept: Sequence[int], depth: int) -> CutConfig:
    """`config`, of a model of `depth` blocks, for the model that has only the blocks `kept`."""
    content = config.to_dict()
    content[family.depth_key] = len(kept)
    warnings = []
    for name, value in content.items():
        if not is_per_block(name, value, depth, family):
            continue
        content[name] = [value[index] for index in kept]
        if name not in family.layer_lists:
            warnings.append(
                f"The configuration's list {name} has {depth} entries, one per block as far as depthkit can "
                f"tell; those of the kept blocks were kept."
            )
    if family.dense_blocks is not None:
        content.update(_dense_blocks(config, family.dense_blocks, kept))
    return CutConfig(type(config).from_dict(content), tuple(warnings))


def _dense_blocks(config: PreTrainedConfig, key: str, kept: Sequence[int]) -> dict[str, Any]:
    """Which of the kept blocks have a dense feed-forward, by their new numbers.

    The original rule (every `decoder_sparse_step`th block has experts) counts from the old numbers, so
    the dense blocks are listed one by one and the rule is switched off. Where it is a number of blocks from
    the first on, they still come first.
    """
    dense = [new for new, old in enumerate(kept) if is_dense(config, key, old)]
    if key == "first_k_dense_replace":
        return {key: len(dense)}
    return {key: dense, "decoder_sparse_step": 1}


def carry_changes(
    content: dict[str, Any], before: PreTrainedConfig, after: PreTrainedConfig, fields: Fields
) -> list[str]:
    """Set in `content`, of the file that `before` was read from, what differs in `after`, and `fields`; gives
    the names of what differs."""
    old, changed = before.to_dict(), []
    for name, value in after.to_dict().items():
        if name not in _NEVER_COPIED and (name not in old or old[name] != value):
            content[name] = value
            changed.append(name)
    for name, value in fields.items():
        if value is None:
            content.pop(name, None)
        else:
            content[name] = value
    return changed


def write_fields(fields: Fields, file: Path) -> None:
    """Set `fields` in the configuration `file`: the library writes its default where one is to be left
    out."""
    content = json.loads(file.read_text(encoding="utf-8"))
    for name, value in fields.items():
        if value is None:
            content.pop(name, None)
        else:
            content[name] = value
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
