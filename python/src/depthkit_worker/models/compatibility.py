"""Keys that transformers 4 reads where transformers 5 writes others.

Without them transformers 4.57 runs on a rotary base of 10000, whatever the model was made with, and
cannot load the tokenizer. transformers 5 reads both.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def add_legacy_keys(folder: Path) -> None:
    """Add them to the configuration files in `folder`."""
    _edit(folder / "config.json", _legacy_rope)
    tokenizer_config = folder / "tokenizer_config.json"
    if tokenizer_config.exists():
        _edit(tokenizer_config, _legacy_tokenizer)


def _legacy_rope(config: dict[str, Any]) -> None:
    rope = config.get("rope_parameters")
    if not rope:
        return
    if "full_attention" in rope:  # One set for each kind of attention: Gemma 3.
        local = rope.get("sliding_attention")
        if local is not None:
            config["rope_local_base_freq"] = local["rope_theta"]
        rope = rope["full_attention"]
    config["rope_theta"] = rope["rope_theta"]
    if "partial_rotary_factor" in rope:
        config["partial_rotary_factor"] = rope["partial_rotary_factor"]
    if config["model_type"] == "gpt_neox":
        config["rotary_emb_base"] = rope["rope_theta"]
        config["rotary_pct"] = rope["partial_rotary_factor"]
    if rope["rope_type"] != "default":
        own_keys = ("rope_theta", "partial_rotary_factor")
        config["rope_scaling"] = {key: value for key, value in rope.items() if key not in own_keys}


def _legacy_tokenizer(config: dict[str, Any]) -> None:
    # "TokenizersBackend" is the class's name in 5; both versions know this one.
    if config.get("tokenizer_class") == "TokenizersBackend":
        config["tokenizer_class"] = "PreTrainedTokenizerFast"


def _edit(path: Path, change: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
