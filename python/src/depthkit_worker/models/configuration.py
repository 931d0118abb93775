"""A checkpoint's configuration, held against its tensors before anything is built from it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.checkpoint import read_config
from depthkit_worker.models.families import FAMILIES, Family, family_of, unknown
from depthkit_worker.models.first_line import first_line
from depthkit_worker.models.own_layout.read import OwnLayout, is_own_layout, own_family, read_own_layout
from depthkit_worker.models.quantised import Quantisation, quantisation_of, refused
from depthkit_worker.models.stored_weights import StoredWeights
from depthkit_worker.models.text_part import WHOLES, text_config, text_note, text_tensors

EXACT = 2**53 - 1
"""Whole numbers beyond it are not the same in every program."""
TOO_LARGE = 2
"""How many times the stored numbers a configuration may ask for before it is refused as it stands. What is
less far off is told tensor by tensor."""
DEPTH_KEYS = ("num_hidden_layers", "n_layer", "n_layers")


@dataclass(frozen=True)
class Described:
    """A model before its weights are read."""

    config: PreTrainedConfig
    stored: StoredWeights
    """Its tensors, as the model calls them or older releases of the library did."""
    outside: frozenset[str]
    """Tensors of the files that are no part of it, as the files call them."""
    notes: tuple[str, ...]
    family: Family
    own: OwnLayout | None
    """What to build, where the folder is in depthkit's own layout."""
    quantisation: Quantisation | None


def check_described(folder: Path) -> tuple[dict[str, Any], Quantisation | None]:
    """The content of config.json, of a model that depthkit can take apart, and how it is quantised."""
    content = read_config(folder)
    model_type = content["model_type"]
    _check_family(folder, model_type)
    quantisation = quantisation_of(folder, content)
    if quantisation is not None and (model_type in WHOLES or is_own_layout(content)):
        what = "it reads images too" if model_type in WHOLES else "it is in depthkit's own layout"
        raise refused(folder, quantisation, f"{what}, and such a one was not run quantised")
    _check_content(folder, content)
    return content, quantisation


def load_config(
    folder: Path,
    content: dict[str, Any],
    stored: StoredWeights,
    trust_remote_code: bool,
    quantisation: Quantisation | None = None,
) -> Described:
    """The configuration of `content`, which fits what is stored, and what to know of it. Of a checkpoint that
    reads images too it is the language model's."""
    whole = content["model_type"] if content["model_type"] in WHOLES else None
    stored, outside = text_tensors(stored) if whole else (stored, frozenset())
    blocks, text = stored.blocks, content.get("text_config")
    # Before the library reads it: it may make a list of that length.
    for part in (content, text if whole and isinstance(text, dict) else {}):
        for key in DEPTH_KEYS:
            if key in part:
                _check_depth(folder, part[key], blocks)
    own: OwnLayout | None = None
    try:
        if is_own_layout(content):
            if own_family(folder, content).depth_key not in content:
                _check_depth(folder, None, blocks)
            own = read_own_layout(folder, content)
            config: PreTrainedConfig = own.config
        else:
            config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except DepthkitError:
        raise
    except Exception as error:  # Validation raises whatever the configuration class likes.
        raise DepthkitError(
            "MODEL_INVALID",
            f"transformers refuses the configuration of {folder}: "
            f"{first_line(error)} {_rest(error)}".rstrip(),
            folder=str(folder),
        ) from error
    assert isinstance(config, PreTrainedConfig)
    notes: tuple[str, ...] = ()
    if whole:
        config = text_config(folder, config)
        notes = (text_note(folder, whole, config, outside),)
    family = family_of(config) if own is None else own.family
    _check_depth(folder, config.num_hidden_layers, blocks)
    notes += _cut_lists(folder, config, family)
    _check_size(folder, config, _weights_in(stored, quantisation), own, trust_remote_code)
    if own is not None:
        notes += (own.note(folder),)
    return Described(config, stored, outside, notes, family, own, quantisation)


def _check_family(folder: Path, model_type: object) -> None:
    if isinstance(model_type, str) and (model_type in FAMILIES or model_type in WHOLES):
        return
    if is_own_layout({"model_type": model_type}):
        return  # its family is looked at with the layout
    raise unknown(f"{folder} has", model_type)


def _check_content(folder: Path, content: dict[str, Any]) -> None:
    if content.get("transformers_weights") is not None:
        _refuse(
            folder,
            f"transformers_weights is {content['transformers_weights']!r}, and would have other files read "
            "than the checkpoint's weights",
        )
    for key, value in content.items():
        if isinstance(value, int) and abs(value) > EXACT:
            _refuse(folder, f"{key} is {value}, and a whole number is at most 2^53 - 1")


def _check_depth(folder: Path, depth: object, blocks: int) -> None:
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
        _refuse(folder, f"the number of blocks is {depth!r}, and a model has one at least")
    if depth > blocks:
        there = f"those of {blocks} (0 to {blocks - 1})" if blocks else "no block's"
        _refuse(
            folder,
            f"the number of blocks is {depth:,}, and the weights hold {there}",
            depth=depth,
            blocks=blocks,
        )


def _cut_lists(folder: Path, config: PreTrainedConfig, family: Family) -> tuple[str, ...]:
    """Leave per-block lists one entry per block. The library reads the first ones of a longer list."""
    notes = []
    depth = config.num_hidden_layers
    for key in family.layer_lists:
        entries = getattr(config, key, None)
        if entries is None or len(entries) == depth:
            continue
        if len(entries) < depth:
            _refuse(folder, f"{key} has {len(entries)} entries for {depth} blocks, and each block needs one")
        setattr(config, key, list(entries[:depth]))
        notes.append(
            f"{key} in the config.json of {folder} has {len(entries)} entries for {depth} blocks: the first "
            f"{depth} are used, as transformers does, and an export has those alone."
        )
    return tuple(notes)


def _check_size(
    folder: Path,
    config: PreTrainedConfig,
    stored: int,
    own: OwnLayout | None,
    trust_remote_code: bool,
) -> None:
    """Build the model without memory for its weights: what cannot be built is told now, and what is far
    larger than the weights is not built at all."""
    try:
        with torch.device("meta"):
            if own is None:
                model = AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code)
            else:
                model = own.model_class(config)
    except Exception as error:  # An unknown activation is a KeyError, an absurd size a RuntimeError.
        raise DepthkitError(
            "MODEL_INVALID",
            f"transformers cannot build the model that {folder / 'config.json'} describes: "
            f"{first_line(error)}. Compare the file with the one that was published.",
            folder=str(folder),
        ) from error
    wanted = sum(parameter.numel() for parameter in model.parameters())
    if wanted > TOO_LARGE * stored:
        _refuse(
            folder,
            f"it describes a model of {wanted:,} parameters, and the weights hold {stored:,}",
            parameters=wanted,
            stored=stored,
        )


def _weights_in(stored: StoredWeights, quantisation: Quantisation | None) -> int:
    """How many weights the stored tensors hold, at most."""
    if quantisation is None:
        return stored.elements
    return stored.unpacked(quantisation.bits[0]).elements


def _rest(error: BaseException) -> str:
    """What follows the first line of a validation's message: there stands what is wrong."""
    return " ".join(line.strip() for line in str(error).strip().split("\n")[1:])


def _refuse(folder: Path, reason: str, **details: Any) -> NoReturn:
    path = folder / "config.json"
    raise DepthkitError(
        "MODEL_INVALID",
        f"{path} does not describe the weights beside it: {reason}. Compare the file with the one that was "
        f"published.",
        path=str(path),
        **details,
    )
