"""Low-rank adapters beside the linear modules of live blocks, and how to get rid of them again.

Plain LoRA is peft's. Masked rank-1 experts (MLAE, arXiv 2405.18897) are ours: peft has none. Both come out
as `Sum`, a change of a weight that any repair can carry.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from depthkit_worker.contract.wire import LoraOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.repair.weight_changes import Sum, sum_of

ADAPTER = "default"
SUBLAYERS = ("attention", "feed-forward")


@dataclass(frozen=True)
class Place:
    """A linear module of a block."""

    block: int
    name: str
    """In the block, dotted."""
    linear: nn.Linear | Conv1D

    @property
    def output_first(self) -> bool:
        """Whether the weight is (out, in); GPT-2 keeps (in, out)."""
        return isinstance(self.linear, nn.Linear)


@dataclass(frozen=True)
class Adapter:
    """What is trained at one place, and how to read it out."""

    place: Place
    module: nn.Module
    """In the linear module's place while the adapter is there."""
    parameters: Mapping[str, nn.Parameter]
    dropouts: tuple[nn.Module, ...]

    def change(self) -> Sum:
        """W + scale B A, in the layout of the place's weight."""
        return sum_of(*_factors(self.module), self.place.output_first)


class MaskedExperts(nn.Module):
    """y = W x + sum over i of mu_i c_i b_i (a_i . x): rank-1 experts, each with a trained coefficient.

    In training mu_i is 0 with the given probability p and 1 / (1 - p) otherwise, drawn once a forward pass;
    else it is 1. The coefficients start at alpha / rank and b at 0, as in LoRA, so that nothing changes at
    the start.
    """

    def __init__(
        self, linear: nn.Linear | Conv1D, options: LoraOptions, alpha: float, probability: float
    ) -> None:
        super().__init__()
        weight = linear.weight
        # A packed weight is of another shape than it stands for.
        inputs, outputs = (
            weight.shape if isinstance(linear, Conv1D) else (linear.in_features, linear.out_features)
        )
        self.base_layer = linear
        self.probability = probability
        down = torch.empty(options.rank, inputs)
        nn.init.kaiming_uniform_(down, a=math.sqrt(5))
        self.down = nn.Parameter(down.to(weight.device))
        """a: (rank, in)"""
        self.up = nn.Parameter(torch.zeros(outputs, options.rank, device=weight.device))
        """b: (out, rank)"""
        self.coefficients = nn.Parameter(
            torch.full((options.rank,), alpha / options.rank, device=weight.device)
        )
        """c: (rank,)"""
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.base_layer(x)
        shares: Tensor = self.coefficients
        # The dropout's mode is switched, not this module's: the base layer's would go with it.
        if self.dropout.training:
            kept = torch.rand(shares.shape, device=shares.device) >= self.probability
            shares = shares * kept / (1 - self.probability)
        wide: Tensor = self.dropout(x.to(self.down.dtype))
        return y + (((wide @ self.down.T) * shares) @ self.up.T).to(y.dtype)


def places(decoder: Decoder, blocks: Sequence[int], targets: Sequence[str]) -> list[Place]:
    """The linear modules of `blocks`, as they stand, that `targets` name: a sublayer stands for all it has,
    anything else is a module's name in the block or the end of one."""
    found: list[Place] = []
    matched: set[str] = set()
    known: set[str] = set()
    for index in blocks:
        block = decoder.blocks[index]
        sublayers = {
            "attention": (decoder.family.attention,),
            "feed-forward": decoder.family.feed_forward,
        }
        for name, module in block.named_modules():
            if not isinstance(module, nn.Linear | Conv1D):
                continue
            known.add(name)
            named = {target for target in targets if name == target or name.endswith(f".{target}")}
            named |= {
                sublayer
                for sublayer in SUBLAYERS
                if sublayer in targets
                and any(name == child or name.startswith(f"{child}.") for child in sublayers[sublayer])
            }
            matched |= named
            if named:
                found.append(Place(index, name, module))
    without = [target for target in targets if target not in matched]
    if without:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"LoRA was to heal {without[0]}, and no linear module of the blocks that stay is called that. "
            f"There are {', '.join(sorted(known)) or 'none'}; attention and feed-forward stand for all of a "
            "sublayer's. Experts of a mixture, whose weights are one tensor, are not among them.",
            targets=without,
            known=sorted(known),
        )
    return found


@contextmanager
def adapted(
    decoder: Decoder, where: Sequence[Place], options: LoraOptions, alpha: float
) -> Iterator[list[Adapter]]:
    """Inside, an adapter that changes nothing yet stands beside each of these modules. Afterwards the same
    module objects are back in their places."""
    try:
        if options.experts is None:
            _inject(decoder, where, options, alpha)
        else:
            for place in where:
                _put(decoder, place, MaskedExperts(place.linear, options, alpha, options.experts.probability))
        yield [_adapter(decoder, place) for place in where]
    finally:
        for place in where:
            _put(decoder, place, place.linear)


def _inject(decoder: Decoder, where: Sequence[Place], options: LoraOptions, alpha: float) -> None:
    # A holder of the blocks, so that peft leaves nothing on the model itself.
    holder = nn.ModuleDict(
        {str(index): decoder.blocks[index] for index in sorted({place.block for place in where})}
    )
    config = LoraConfig(
        r=options.rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # A float works; the annotation is narrower.
        lora_dropout=options.dropout,
        target_modules="|".join(re.escape(f"{place.block}.{place.name}") for place in where),
        fan_in_fan_out=not all(place.output_first for place in where),
    )
    with warnings.catch_warnings():
        # It says that it corrects fan_in_fan_out where a model mixes both layouts.
        warnings.filterwarnings("ignore", message="fan_in_fan_out")
        inject_adapter_in_model(config, holder, ADAPTER)
    for place in where:
        layer = _at(decoder, place)
        assert isinstance(layer, LoraLayer)
        # In fp32 whatever the model's dtype: peft casts around them.
        layer.lora_A.float()
        layer.lora_B.float()


def _adapter(decoder: Decoder, place: Place) -> Adapter:
    module = _at(decoder, place)
    if isinstance(module, MaskedExperts):
        parameters = {"down": module.down, "up": module.up, "coefficients": module.coefficients}
        return Adapter(place, module, parameters, (module.dropout,))
    assert isinstance(module, LoraLayer)
    parameters = {
        "down": module.lora_A[ADAPTER].get_parameter("weight"),
        "up": module.lora_B[ADAPTER].get_parameter("weight"),
    }
    dropout = module.lora_dropout[ADAPTER].eval()
    assert isinstance(module, nn.Module)
    return Adapter(place, module, parameters, (dropout,))


def _factors(module: nn.Module) -> tuple[Tensor, Tensor, float]:
    """A (rank, in), B (out, rank) and the scale of B A."""
    if isinstance(module, MaskedExperts):
        return module.down.detach().clone(), module.up.detach() * module.coefficients.detach(), 1.0
    assert isinstance(module, LoraLayer)
    down, up = (part[ADAPTER].get_parameter("weight") for part in (module.lora_A, module.lora_B))
    return down.detach().clone(), up.detach().clone(), float(module.scaling[ADAPTER])


def _at(decoder: Decoder, place: Place) -> nn.Module:
    return decoder.blocks[place.block].get_submodule(place.name)


def _put(decoder: Decoder, place: Place, module: nn.Module) -> None:
    path, _, last = place.name.rpartition(".")
    setattr(decoder.blocks[place.block].get_submodule(path), last, module)
