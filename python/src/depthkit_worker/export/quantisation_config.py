"""The quantisation config of a checkpoint whose removed blocks are gone: names of modules numbered anew."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import nn

from depthkit_worker.models.stored_weights import block_of, renumbered

_NAME = re.compile(r"[\w.]+", re.ASCII)


def cut_quantisation(config: Mapping[str, Any], model: nn.Module, kept: Sequence[int]) -> dict[str, Any]:
    """`config`, of `model`, for the one that has only its blocks `kept`. Whichever list of names it is (what
    is left as it was, what a scheme is for): those of removed blocks go, and the others get their new
    numbers. A pattern with a number in it becomes the names that it stands for."""
    names = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    cut = {key: _cut(value, names, kept) for key, value in config.items()}
    groups, before = cut.get("config_groups"), config.get("config_groups")
    if isinstance(groups, dict) and isinstance(before, Mapping):
        # A group of removed blocks alone is of nothing now.
        cut["config_groups"] = {
            key: group
            for key, group in groups.items()
            if group.get("targets") or not before[key].get("targets")
        }
    return cut


def _cut(value: Any, names: Sequence[str], kept: Sequence[int]) -> Any:
    if isinstance(value, Mapping):
        return {key: _cut(one, names, kept) for key, one in value.items()}
    if not isinstance(value, list):
        return value
    if all(isinstance(one, str) for one in value):
        return list(dict.fromkeys(new for one in value for new in _renamed(one, names, kept)))
    return [_cut(one, names, kept) for one in value]


def _renamed(entry: str, names: Sequence[str], kept: Sequence[int]) -> Iterator[str]:
    if not any(character.isdigit() for character in entry):
        yield entry
        return
    meant = [entry] if _NAME.fullmatch(entry) else [name for name in names if _matches(entry, name)]
    for name in meant:
        block = block_of(f"{name}.")
        if block is None:
            yield name
        elif block in kept:
            yield renumbered(f"{name}.", kept).removesuffix(".")


def _matches(entry: str, name: str) -> bool:
    """As compressed-tensors reads what begins with re:, and transformers the lists of other kinds."""
    if entry.startswith("re:"):
        return re.match(entry[3:], name) is not None
    return re.match(rf"(?:{entry})(?:(?<=\.)|(?=\.|$))", name) is not None or name.endswith(entry)
