# Part of depthkit. Licensed under the Apache License, Version 2.0:
# http://www.apache.org/licenses/LICENSE-2.0
"""The same decoder as in modeling_depthkit.py, for mlx-lm: one layer per kept attention.

mlx-lm takes `Model` and `ModelArgs` from the file that config.json names as its `model_file`. The model is
mlx-lm's own, with layers made from `layout`.
"""

from importlib import import_module

import mlx.core as mx
import mlx.nn as nn

# mlx-lm's module for each `model_type`. Blocks of all of them add attention(norm(x)), then mlp(norm(x)).
LIBRARIES = {
    "depthkit_llama": "llama",
    "depthkit_mistral": "llama",
    "depthkit_qwen2": "qwen2",
    "depthkit_qwen3": "qwen3",
}


class ModelArgs:
    """The library's own arguments, and how its blocks are laid out."""

    @classmethod
    def from_dict(cls, config):
        args = cls()
        name = LIBRARIES[config["model_type"]]
        args.library = import_module(f"mlx_lm.models.{name}")
        args.base = args.library.ModelArgs.from_dict({**config, "model_type": name})
        args.layout = config["layout"]
        return args


class Constant(nn.Module):
    def __init__(self, hidden, spec):
        super().__init__()
        self.vector = mx.zeros(hidden)

    def __call__(self, x):
        return mx.broadcast_to(self.vector, x.shape)


class LowRank(nn.Module):
    """norm(x) V U + b, norm the root mean square norm without a weight, or x itself."""

    def __init__(self, hidden, spec):
        super().__init__()
        self.down = mx.zeros((hidden, spec["rank"]))
        self.up = mx.zeros((spec["rank"], hidden))
        if spec["bias"]:
            self.bias = mx.zeros(hidden)
        self._normed, self._eps = spec["reads"] == "normed", spec["eps"]

    def __call__(self, x):
        z = mx.fast.rms_norm(x, None, self._eps) if self._normed else x
        update = z @ self.down @ self.up
        return update + self.bias if "bias" in self else update


class Linear(nn.Module):
    def __init__(self, hidden, spec):
        super().__init__()
        self.matrix = mx.zeros((hidden, hidden))
        if spec["bias"]:
            self.bias = mx.zeros(hidden)

    def __call__(self, x):
        update = x @ self.matrix
        return update + self.bias if "bias" in self else update


class Scale(nn.Module):
    def __init__(self, hidden, spec):
        super().__init__()
        self._factor = spec["factor"]

    def __call__(self, x):
        return x * (self._factor - 1)


class FeedForward(nn.Module):
    """A network in the place of the stream: what is added is what it makes of x, less x."""

    def __init__(self, hidden, spec):
        super().__init__()
        self.up, self.up_bias = mx.zeros((hidden, spec["width"])), mx.zeros(spec["width"])
        self.down, self.down_bias = mx.zeros((spec["width"], hidden)), mx.zeros(hidden)

    def __call__(self, x):
        return nn.relu(x @ self.up + self.up_bias) @ self.down + self.down_bias - x


class SwiGlu(nn.Module):
    def __init__(self, hidden, spec):
        super().__init__()
        self.gate, self.up = mx.zeros((hidden, spec["width"])), mx.zeros((hidden, spec["width"]))
        self.down = mx.zeros((spec["width"], hidden))

    def __call__(self, x):
        return (nn.silu(x @ self.gate) * (x @ self.up)) @ self.down - x


UPDATES = {
    "constant": Constant,
    "low-rank": LowRank,
    "linear": Linear,
    "scale": Scale,
    "feed-forward": FeedForward,
    "swiglu": SwiGlu,
}


class Block(nn.Module):
    """A block of the library as far as it was kept."""

    use_sliding = False  # Looked at by a library that knows blocks of two kinds.

    def __init__(self, args, without):
        super().__init__()
        block = args.library.TransformerBlock(args.base)
        if "attention" not in without:
            self.self_attn, self.input_layernorm = block.self_attn, block.input_layernorm
        if "feed-forward" not in without:
            self.mlp, self.post_attention_layernorm = block.mlp, block.post_attention_layernorm

    def run(self, x, mask, cache):
        if "self_attn" in self:
            x = x + self.self_attn(self.input_layernorm(x), mask, cache)
        if "mlp" in self:
            x = x + self.mlp(self.post_attention_layernorm(x))
        return x


def make_updates(args, place):
    hidden = args.base.hidden_size
    return {slot: UPDATES[spec["kind"]](hidden, spec) for slot, spec in place["updates"].items()}


def updated(updates, run, x):
    """`run` on the stream `x`, with the updates around it."""
    if "before" in updates:
        x = x + updates["before"](x)
    y = run(x)
    if "beside" in updates:
        y = y + updates["beside"](x)
    if "after" in updates:
        y = y + updates["after"](y)
    return y


class Follower(nn.Module):
    """A block without attention, or only the updates in a removed block's place."""

    def __init__(self, args, place):
        super().__init__()
        if "feed-forward" not in place["without"]:
            self.block = Block(args, place["without"])
        self.updates = make_updates(args, place)

    def __call__(self, x):
        run = (lambda x: self.block.run(x, None, None)) if "block" in self else (lambda x: x)
        return updated(self.updates, run, x)


class Layer(Block):
    def __init__(self, args, here):
        super().__init__(args, here["block"]["without"])
        self.updates = make_updates(args, here["block"])
        self.before = [Follower(args, place) for place in here["before"]]
        self.after = [Follower(args, place) for place in here["after"]]

    def __call__(self, x, mask=None, cache=None):
        for place in self.before:
            x = place(x)
        x = updated(self.updates, lambda x: self.run(x, mask, cache), x)
        for place in self.after:
            x = place(x)
        return x


def Model(args):  # noqa: N802 - mlx-lm looks for it by this name.
    model = args.library.Model(args.base)
    model.model.layers = [Layer(args, here) for here in args.layout]
    return model
