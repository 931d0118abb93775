# Part of depthkit. Licensed under the Apache License, Version 2.0:
# http://www.apache.org/licenses/LICENSE-2.0
"""A decoder without some of its attentions and feed-forwards, as one layer per kept attention.

Layer j is the block of the j-th attention that was kept, with what runs in front of it and behind it, up to
the next one: blocks without attention, and updates of the residual stream in the place of what was removed.
So there are as many layers, and as many caches of keys and values, as there are attentions.
`config.layout` has an entry per layer. The model's own forward is the library's.
"""

# ruff: noqa: E402 - the library's version is looked at before anything is taken from it.

import copy
import re

import torch
import transformers
from torch import nn

# begin base: the architecture that this checkpoint was made from
OLDEST = "4.48"
RUN_WITH = "4.48.3 and 4.57.6 and 5.17.0 and 5.24.0"
# end base


def _version(text):
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


if _version(transformers.__version__) < _version(OLDEST):
    raise ImportError(
        f"This checkpoint needs transformers {OLDEST} or newer, and {transformers.__version__} is installed. "
        f"It was "
        f'run with {RUN_WITH}. Install one: pip install "transformers>={OLDEST}"'
    )

# begin names: the library's classes for it, and what its blocks are made of
from transformers import LlamaConfig as BaseConfig
from transformers.models.llama.modeling_llama import LlamaDecoderLayer as BaseLayer
from transformers.models.llama.modeling_llama import LlamaForCausalLM as BaseForCausalLM
from transformers.models.llama.modeling_llama import LlamaModel as BaseModel

MODEL_TYPE = "depthkit_llama"
# The base model in the whole one, and the list of layers in the base model.
BASE, LAYERS = "model", "layers"
ATTENTION, FEED_FORWARD = "self_attn", "mlp"
# Goes with the attention, or the feed-forward, when that is removed.
WITH_ATTENTION: tuple[str, ...] = ("input_layernorm",)
WITH_FEED_FORWARD: tuple[str, ...] = ("post_attention_layernorm",)
ATTENTION_ADDS_RESIDUAL = False
FEED_FORWARD_ADDS_RESIDUAL = False
FEED_FORWARD_RETURNS_TUPLE = False
# Mixture of experts: what says which blocks' feed-forward is dense.
DENSE_BLOCKS = ""
# end names


class DepthkitConfig(BaseConfig):
    model_type = MODEL_TYPE
    layout: list | None = None


class NoAttention(nn.Module):
    is_sliding = (
        False  # Looked at by blocks that choose between two kinds of positions, which it does not read.
    )

    def forward(self, hidden_states, *args, **kwargs):
        return (args[0] if ATTENTION_ADDS_RESIDUAL else torch.zeros_like(hidden_states)), None


class NoFeedForward(nn.Module):
    def forward(self, hidden_states, *args):
        residual = args[0] if FEED_FORWARD_ADDS_RESIDUAL else torch.zeros_like(hidden_states)
        return (residual, None) if FEED_FORWARD_RETURNS_TUPLE else residual


class Constant(nn.Module):
    def __init__(self, hidden, spec):
        super().__init__()
        self.vector = nn.Parameter(torch.zeros(hidden))

    def forward(self, x):
        return self.vector.expand_as(x)


class LowRank(nn.Module):
    """norm(x) V U + b, norm the root mean square norm without a weight, or x itself."""

    def __init__(self, hidden, spec):
        super().__init__()
        self.down = nn.Parameter(torch.zeros(hidden, spec["rank"]))
        self.up = nn.Parameter(torch.zeros(spec["rank"], hidden))
        self.bias = nn.Parameter(torch.zeros(hidden)) if spec["bias"] else None
        self.normed, self.eps = spec["reads"] == "normed", spec["eps"]

    def forward(self, x):
        z = x
        if self.normed:
            wide = x.float() if x.dtype.itemsize < 4 else x
            z = (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + self.eps)).to(x.dtype)
        update = z @ self.down @ self.up
        return update if self.bias is None else update + self.bias


class Linear(nn.Module):
    def __init__(self, hidden, spec):
        super().__init__()
        self.matrix = nn.Parameter(torch.zeros(hidden, hidden))
        self.bias = nn.Parameter(torch.zeros(hidden)) if spec["bias"] else None

    def forward(self, x):
        update = x @ self.matrix
        return update if self.bias is None else update + self.bias


class Scale(nn.Module):
    def __init__(self, hidden, spec):
        super().__init__()
        self.factor = spec["factor"]

    def forward(self, x):
        return x * (self.factor - 1)


class SmallNetwork(nn.Module):
    """A network in the place of the stream: what is added is what it makes of x, less x."""

    def __init__(self, hidden, spec):
        super().__init__()
        self.up = nn.Parameter(torch.zeros(hidden, spec["width"]))
        self.down = nn.Parameter(torch.zeros(spec["width"], hidden))


class FeedForward(SmallNetwork):
    def __init__(self, hidden, spec):
        super().__init__(hidden, spec)
        self.up_bias = nn.Parameter(torch.zeros(spec["width"]))
        self.down_bias = nn.Parameter(torch.zeros(hidden))

    def forward(self, x):
        return (x @ self.up + self.up_bias).relu() @ self.down + self.down_bias - x


class SwiGlu(SmallNetwork):
    def __init__(self, hidden, spec):
        super().__init__(hidden, spec)
        self.gate = nn.Parameter(torch.zeros(hidden, spec["width"]))

    def forward(self, x):
        return (nn.functional.silu(x @ self.gate) * (x @ self.up)) @ self.down - x


UPDATES = {
    "constant": Constant,
    "low-rank": LowRank,
    "linear": Linear,
    "scale": Scale,
    "feed-forward": FeedForward,
    "swiglu": SwiGlu,
}


def make_updates(config, place):
    specs = place["updates"].items()
    return nn.ModuleDict({slot: UPDATES[spec["kind"]](config.hidden_size, spec) for slot, spec in specs})


def take_out(block, without):
    """Remove sublayers of `block`: their parameters, their caches, their compute."""
    if "attention" in without:
        setattr(block, ATTENTION, NoAttention())
        for name in WITH_ATTENTION:
            setattr(block, name, nn.Identity())
    if "feed-forward" in without:
        setattr(block, FEED_FORWARD, NoFeedForward())
        for name in WITH_FEED_FORWARD:
            setattr(block, name, nn.Identity())


def run(block, updates, x, args, kwargs):
    """`block` on the stream `x` with its updates, in the form that the block returns."""
    if "before" in updates:
        x = x + updates["before"](x)
    output = x if block is None else block(x, *args, **kwargs)
    y = output[0] if isinstance(output, tuple) else output
    if "beside" in updates:
        y = y + updates["beside"](x)
    if "after" in updates:
        y = y + updates["after"](y)
    return (y, *output[1:]) if isinstance(output, tuple) else y


def dense_at(number):
    """The field's value by which the layer of that number is dense; None: by which no layer is."""
    if DENSE_BLOCKS == "first_k_dense_replace":
        return 0 if number is None else number + 1
    return [] if number is None else [number]


class Follower(nn.Module):
    """A block without attention, or only the updates in a removed block's place."""

    def __init__(self, config, layer_idx, place):
        super().__init__()
        if place.get("dense") is not None:  # What the feed-forward is depends on the block's number.
            config = copy.copy(config)
            config.update({DENSE_BLOCKS: dense_at(layer_idx) if place["dense"] else dense_at(None)})
        self.block = None
        if "feed-forward" not in place["without"]:
            self.block = BaseLayer(config, layer_idx)
            take_out(self.block, place["without"])
        self.updates = make_updates(config, place)

    def forward(self, hidden_states, *args, **kwargs):
        output = run(self.block, self.updates, hidden_states, args, kwargs)
        return output[0] if isinstance(output, tuple) else output


class DepthkitLayer(BaseLayer):
    def __init__(self, config, layer_idx):
        super().__init__(config, layer_idx)
        here = config.layout[layer_idx]
        take_out(self, here["block"]["without"])
        self.updates = make_updates(config, here["block"])
        self.before = nn.ModuleList(Follower(config, layer_idx, place) for place in here["before"])
        self.after = nn.ModuleList(Follower(config, layer_idx, place) for place in here["after"])

    def forward(self, hidden_states, *args, **kwargs):
        for place in self.before:
            hidden_states = place(hidden_states, *args, **kwargs)
        output = run(super().forward, self.updates, hidden_states, args, kwargs)
        hidden_states = output[0] if isinstance(output, tuple) else output
        for place in self.after:
            hidden_states = place(hidden_states, *args, **kwargs)
        return (hidden_states, *output[1:]) if isinstance(output, tuple) else hidden_states


def lay_out(base_model, config):
    path, _, name = LAYERS.rpartition(".")
    layers = nn.ModuleList(DepthkitLayer(config, index) for index in range(len(config.layout)))
    setattr(base_model.get_submodule(path), name, layers)


class Whole:
    """Loading that leaves no tensor random: the library would only warn."""

    @classmethod
    def from_pretrained(cls, folder, *args, output_loading_info=False, **options):
        model, report = super().from_pretrained(folder, *args, output_loading_info=True, **options)
        missing = sorted(report["missing_keys"])
        shapes = sorted(str(entry[0]) for entry in report["mismatched_keys"])
        if missing or shapes:
            raise RuntimeError(
                f"{len(missing)} tensors of {folder} were not found and {len(shapes)} have another shape, "
                f"under transformers {transformers.__version__}: {', '.join((missing + shapes)[:3])}. They "
                f"would have been random. The checkpoint is not whole, or this release lays the architecture "
                f"out in another way: it was run with {RUN_WITH}."
            )
        return (model, report) if output_loading_info else model


class DepthkitModel(Whole, BaseModel):
    config: DepthkitConfig
    config_class = DepthkitConfig
    _no_split_modules = ["DepthkitLayer"]  # noqa: RUF012

    def __init__(self, config):
        super().__init__(config)
        lay_out(self, config)
        self.post_init()


class DepthkitForCausalLM(Whole, BaseForCausalLM):
    config: DepthkitConfig
    config_class = DepthkitConfig
    _no_split_modules = ["DepthkitLayer"]  # noqa: RUF012

    def __init__(self, config):
        super().__init__(config)
        # By its own name: `base_model` is another module in some releases.
        lay_out(getattr(self, BASE), config)
        self.post_init()
