"""Passing a checkpoint's generation settings on, repaired where the library would refuse them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from transformers import GenerationConfig

from depthkit_worker.models.decoder import Decoder

FILE = "generation_config.json"

_SAMPLING_ONLY = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
    "top_h",
)


@dataclass(frozen=True)
class PassedOn:
    content: dict[str, Any] | None
    """What to write; None where the source has no settings."""
    warnings: tuple[str, ...]


def generation_settings(decoder: Decoder) -> PassedOn:
    """The source's own settings, unchanged if the library would save them.

    Checkpoints are published with settings that no longer pass (a temperature with sampling off), and
    then a save fails after hours of work (transformers issue 29988).
    """
    content = _source_settings(decoder)
    if content is None:
        return PassedOn(None, ())
    fault = _fault(content)
    if fault is None:
        return PassedOn(content, ())
    if not content.get("do_sample"):
        repaired = {key: value for key, value in content.items() if key not in _SAMPLING_ONLY}
        if _fault(repaired) is None:
            gone = ", ".join(key for key in content if key in _SAMPLING_ONLY)
            return PassedOn(
                repaired,
                (
                    f"The source's {FILE} sets {gone} with sampling off, which is refused on saving; left "
                    f"out.",
                ),
            )
    tokens = {key: value for key, value in content.items() if key.endswith("_token_id")}
    return PassedOn(tokens, (f"The source's {FILE} is invalid, so only its token ids were kept: {fault}",))


def _source_settings(decoder: Decoder) -> dict[str, Any] | None:
    folder = decoder.source.folder
    if folder is not None:
        path = folder / FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        except ValueError:
            content = None
        return content if isinstance(content, dict) else None
    shipped = getattr(decoder.model, "generation_config", None)
    return None if shipped is None else json.loads(shipped.to_json_string(use_diff=True))


def _fault(content: dict[str, Any]) -> str | None:
    try:
        GenerationConfig.from_dict(content).validate(strict=True)
    except (ValueError, TypeError) as error:
        return str(error).strip()
    return None
