"""The modelling file of depthkit's own checkpoint form: `modelling/modeling_depthkit.py`, with the lines that
name the architecture filled in. What is run is always the text made here, never a file's."""

from __future__ import annotations

import hashlib
import re
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.families import Companions, Family
from depthkit_worker.models.own_layout.library_versions import oldest, run_with
from depthkit_worker.models.stand_ins import OnlyUpdates

MODULE = "modeling_depthkit"
MODELLING_FILE = f"{MODULE}.py"
AUTO_MAP = {
    "AutoConfig": f"{MODULE}.DepthkitConfig",
    "AutoModel": f"{MODULE}.DepthkitModel",
    "AutoModelForCausalLM": f"{MODULE}.DepthkitForCausalLM",
}

_TEMPLATE = Path(__file__).parent / "modelling" / MODELLING_FILE
PREFIX = "depthkit_"
"""Of a checkpoint's `model_type`, in front of its family's."""

_TOLD = re.compile(r"^# begin base:[^\n]*\n.*?^# end base\n", re.DOTALL | re.MULTILINE)
_FILLED_IN = re.compile(r"^# begin (base|names):[^\n]*\n.*?^# end \1\n", re.DOTALL | re.MULTILINE)


def companions_of(decoder: Decoder) -> Companions:
    """What goes with each sublayer, as far as blocks of this model have it."""
    family = decoder.family
    found = family.companions_in_parallel if decoder.parallel else family.companions
    there = {name for block in decoder.blocks for name, _ in block.named_children()}
    return Companions(
        tuple(name for name in found.attention if name in there),
        tuple(name for name in (*family.feed_forward[:-1], *found.feed_forward) if name in there),
    )


def model_type_of(family: Family) -> str:
    return f"{PREFIX}{family.model_type}"


def modelling_text(decoder: Decoder) -> str:
    """The modelling file for checkpoints of this model's architecture."""
    family, model = decoder.family, decoder.model
    module = type(model).__module__
    if not module.startswith("transformers.models."):
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"The model runs code of its own ({module}), which depthkit's checkpoint form cannot build on: "
            "it subclasses the blocks of the transformers library. Remove whole blocks instead.",
        )
    companions = companions_of(decoder)
    block = next(type(block) for block in decoder.blocks if not isinstance(block, OnlyUpdates))
    base = type(model.base_model).__name__
    config = type(decoder.config).__name__
    prefix = model.base_model_prefix
    layers = family.blocks.removeprefix(f"{prefix}.")
    text = _TEMPLATE.read_text(encoding="utf-8")
    versions = [
        "# begin base: the architecture that this checkpoint was made from",
        f'OLDEST = "{oldest(decoder)}"',
        f'RUN_WITH = "{run_with(decoder)}"',
        "# end base",
        "",
    ]
    names = [
        "# begin names: the library's classes for it, and what its blocks are made of",
        f"from transformers import {config} as BaseConfig",
        f"from {module} import {block.__name__} as BaseLayer",
        f"from {module} import {type(model).__name__} as BaseForCausalLM",
        f"from {module} import {base} as BaseModel",
        "",
        f'MODEL_TYPE = "{model_type_of(family)}"',
        "# The base model in the whole one, and the list of layers in the base model.",
        f'BASE, LAYERS = "{prefix}", "{layers}"',
        f'ATTENTION, FEED_FORWARD = "{family.attention}", "{family.feed_forward[-1]}"',
        "# Goes with the attention, or the feed-forward, when that is removed.",
        f"WITH_ATTENTION: tuple[str, ...] = {_literal(companions.attention)}",
        f"WITH_FEED_FORWARD: tuple[str, ...] = {_literal(companions.feed_forward)}",
        f"ATTENTION_ADDS_RESIDUAL = {family.attention_adds_residual}",
        f"FEED_FORWARD_ADDS_RESIDUAL = {family.feed_forward_adds_residual}",
        f"FEED_FORWARD_RETURNS_TUPLE = {family.feed_forward_returns == 'tuple'}",
        "# Mixture of experts: what says which blocks' feed-forward is dense.",
        f'DENSE_BLOCKS = "{family.dense_blocks or ""}"',
        "# end names",
        "",
    ]
    lines = {"base": versions, "names": names}
    filled, count = _FILLED_IN.subn(lambda found: "\n".join(lines[found[1]]), text)
    assert count == len(lines), "the modelling file lacks a part to fill in"
    return filled


def _literal(names: tuple[str, ...]) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"({listed},)" if len(names) == 1 else f"({listed})"


def computes(text: str) -> str:
    """sha256 of a modelling text without what only tells of releases: two that compute the same have the same
    one."""
    told = _TOLD.sub("", text.replace("\r\n", "\n"))
    return hashlib.sha256(told.encode()).hexdigest()


def modelling_module(text: str) -> Mapping[str, Any]:
    """The classes of a modelling file, as the library will find them in it."""
    name = f"{MODULE}_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    if name not in sys.modules:
        module = types.ModuleType(name)
        # The library's configurations are dataclasses, which look their module up by its name.
        sys.modules[name] = module
        try:
            exec(compile(text, MODELLING_FILE, "exec"), module.__dict__)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name].__dict__


def model_class(module: Mapping[str, Any]) -> type[PreTrainedModel]:
    found = module["DepthkitForCausalLM"]
    assert isinstance(found, type) and issubclass(found, PreTrainedModel)
    return found
