"""What depthkit has to know of an architecture: names and wiring, no modelling code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from transformers import PreTrainedConfig


def never(_config: PreTrainedConfig) -> bool:
    return False


def always(_config: PreTrainedConfig) -> bool:
    return True


def _supported(_config: PreTrainedConfig) -> str | None:
    return None


@dataclass(frozen=True)
class Periodic:
    """Blocks of two kinds in a fixed order: every `period`-th, counted from 1, is of the `last` kind. Some
    software goes by the block's number alone and does not look at the configuration's list."""

    period: int
    key: str
    """The configuration's list of kinds, one entry per block."""
    names: tuple[tuple[str | int, str], ...]
    """The list's values, that of every `period`-th block last, each with the kind's name."""
    software: tuple[str, ...]
    """What takes a block's kind from its number."""
    period_key: str
    """A configuration field that holds the period."""
    reads_period_key: tuple[str, ...] = ()
    """Software that takes the period from `period_key`."""


@dataclass(frozen=True)
class Companions:
    """Children of a block that serve one sublayer alone and go with it."""

    attention: tuple[str, ...] = ()
    feed_forward: tuple[str, ...] = ()


@dataclass(frozen=True)
class Family:
    """One architecture. Module names are relative to the model (dotted) or to one of its blocks."""

    model_type: str
    """The configuration's `model_type`, by which the family is found."""
    architecture: str
    """The transformers class with the language-model head."""
    blocks: str = "model.layers"
    """The module list that holds the blocks."""
    attention: str = "self_attn"
    feed_forward: tuple[str, ...] = ("mlp",)
    """The block's children that make up the feed-forward sublayer, in the order they run."""
    after_attention: str = "post_attention_layernorm"
    """Sequential wiring: the block's child whose input is x_l + a_l."""
    final_norm: str = "model.norm"
    companions: Companions = Companions(("input_layernorm",), ("post_attention_layernorm",))
    """In sequential wiring. Those that a block lacks count for nothing."""
    companions_in_parallel: Companions = Companions()
    """In parallel wiring, where most families have one norm that both sublayers read."""
    norms_updates: bool = False
    """Whether a norm stands between a sublayer and the stream, so that no weight of the sublayer's own sets
    the size of its update."""
    parallel: Callable[[PreTrainedConfig], bool] = never
    """Whether both sublayers read the block's input, which may depend on the configuration."""
    block_returns: Literal["tensor", "tuple"] = "tensor"
    feed_forward_returns: Literal["tensor", "tuple"] = "tensor"
    attention_adds_residual: bool = False
    """Whether the sublayer takes the residual as its second argument and returns the sum."""
    feed_forward_adds_residual: bool = False
    update_multiplier: str | None = None
    """The configuration field that scales a_l and f_l before they are added."""
    logit_multiplier: str | None = None
    """The configuration field that the head's output is multiplied by."""
    depth_key: str = "num_hidden_layers"
    """The configuration file's key for the number of blocks."""
    layer_lists: tuple[str, ...] = ("layer_types",)
    """Configuration lists with one entry per block."""
    periodic: Periodic | None = None
    """Where blocks are of two kinds by their numbers."""
    dense_blocks: Literal["mlp_only_layers", "first_k_dense_replace"] | None = None
    """Mixture of experts: the configuration field of the blocks whose feed-forward is dense, a list of them
    or how many come first."""
    branching: Callable[[PreTrainedConfig], bool] = always
    """Whether the model takes position ids and a 4-D attention mask, so that several continuations may
    stand behind one prompt in a row, each blind to the others. All that were not found to fail at it; not
    where the distance between places in the row counts (alibi)."""
    unsupported: Callable[[PreTrainedConfig], str | None] = _supported
    """Why a configuration of this family is outside what depthkit describes; None where it is not."""
