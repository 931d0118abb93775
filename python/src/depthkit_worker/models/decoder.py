"""One uniform view of a loaded decoder, whatever its architecture.

`Decoder` replays the model's own layers. The embedding and position code run once through the model's
own forward, with recorders in the blocks' places, which yields the first hidden states and the
arguments every block gets. From there on blocks can be run one at a time, skipped or shared between
subnetworks. Running them all and then the head gives the model's own logits, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import LongTensor, Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from depthkit_worker.contract.wire import UnitKind
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.families import Family, family_of
from depthkit_worker.models.limits import Limits, limits_of
from depthkit_worker.models.listener import Listener, Tokens
from depthkit_worker.models.onednn import use_onednn
from depthkit_worker.models.packed import weights_in
from depthkit_worker.models.pattern import Pattern, pattern_of
from depthkit_worker.models.placement import bring_inputs, moved, told
from depthkit_worker.models.quantised import unfit
from depthkit_worker.models.recorders import Recorded, Recorder, Replacement
from depthkit_worker.models.source import IN_MEMORY, Source
from depthkit_worker.models.split import BlockStates, split_block
from depthkit_worker.models.stand_ins import absent_parts
from depthkit_worker.models.units import Parts, Unit

MASKED_ATTENTION = ("eager", "sdpa")
"""Attention implementations that take a mask of one's own."""


@dataclass(frozen=True)
class Replay:
    """What the model's own forward hands its blocks for one batch."""

    input_ids: LongTensor
    """(batch, sequence)"""
    hidden: Tensor
    """x_0, what the first block reads: (batch, sequence, hidden)."""
    arguments: tuple[Recorded, ...]
    """One entry per block: everything it is called with besides the hidden states."""


@dataclass(frozen=True)
class Branching:
    """Rows that are no plain sequences: several continuations behind one prompt."""

    position_ids: Tensor
    """int64 (batch, sequence)"""
    sees: Tensor
    """bool (batch, sequence, sequence): which places each place attends to, at least one."""

    def inputs(self, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
        # Added to the attention's scores: what both eager and sdpa attention take.
        mask = torch.zeros(self.sees.shape, dtype=dtype).masked_fill_(~self.sees, torch.finfo(dtype).min)
        return {"position_ids": self.position_ids.to(device), "attention_mask": mask[:, None].to(device)}


class Decoder:
    """A model with its tokenizer, seen as a list of blocks. Not safe to share between threads."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase | None = None,
        source: Source = IN_MEMORY,
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.source = source
        self.family: Family = family_of(model.config)
        self.depth = len(self.blocks)
        self.parallel = self.family.parallel(model.config)
        self._forward_options = _forward_options(model.config)
        self._listener: Listener | None = None
        self.absent = tuple(absent_parts(block, self.family) for block in self.blocks)
        """What each block never had: of checkpoints in depthkit's own layout alone."""
        self._places = _places(self.blocks, self.device)
        if len(self.devices) > 1:
            bring_inputs(model)
        use_onednn(model)

    @property
    def config(self) -> PreTrainedConfig:
        return self.model.config

    @property
    def device(self) -> torch.device:
        """Where token ids go and logits come from; with several devices, the first one's."""
        weight = self.model.get_input_embeddings().weight
        assert isinstance(weight, Tensor)
        return weight.device

    @property
    def devices(self) -> tuple[torch.device, ...]:
        """All that its weights are on, the first one's first."""
        return tuple(dict.fromkeys((self.device, *self._places)))

    @property
    def placement(self) -> str:
        """The device, or which block is on which: cuda:0=20,cuda:1=12."""
        return str(self.device) if len(self.devices) == 1 else told(self._places)

    def block_device(self, index: int) -> torch.device:
        """Where block `index` is, and what stands in its place; behind the last one, the head."""
        return self._places[index] if index < self.depth else self.device

    def at(self, index: int, hidden: Tensor) -> Tensor:
        """`hidden` where block `index` is."""
        return hidden.to(self.block_device(index))

    @property
    def dtype(self) -> torch.dtype:
        return self.model.dtype

    @property
    def blocks(self) -> nn.ModuleList:
        """The blocks as they stand: where units are removed, what took their place."""
        return _module_list(self.model, self.family.blocks)

    @cached_property
    def absent_units(self) -> tuple[Unit, ...]:
        """The sublayers that it never had, in order."""
        kinds: tuple[tuple[UnitKind, Parts], ...] = (
            ("attention", Parts.ATTENTION),
            ("feed-forward", Parts.FEED_FORWARD),
        )
        return tuple(
            Unit(kind, index)
            for index, absent in enumerate(self.absent)
            for kind, part in kinds
            if part in absent
        )

    def require_present(self, units: Iterable[Unit]) -> None:
        """Refuse sublayers that the model never had. A block that lacks one, or both, can be removed: with
        it go the updates that are its own."""
        missing = sorted(set(units) & set(self.absent_units))
        if missing:
            raise DepthkitError(
                "INVALID_ARGUMENT",
                f"There is no {', '.join(map(str, missing))} in this model: the checkpoint "
                f"{self.source.name} was made without. `model.units(kind)` lists those that there are.",
                units=[str(unit) for unit in missing],
            )

    def require_plain_weights(self, doing: str) -> None:
        """Refuse what reads or changes weights, of a model whose weights are packed."""
        quantisation = self.source.quantisation
        if quantisation is not None and quantisation.packed:
            raise unfit(
                self.source.name, quantisation, doing, "this takes weights as numbers, and they are packed"
            )

    def require_gradients(self, doing: str) -> None:
        """Refuse what takes gradients, of a model that rounds between its products."""
        quantisation = self.source.quantisation
        if quantisation is not None and quantisation.rounds_activations:
            why = "what goes into its products is rounded, and no gradient comes back through that"
            raise unfit(self.source.name, quantisation, doing, why)

    def require_tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer, for a call that cannot do without."""
        if self.tokenizer is None:
            raise DepthkitError("INVALID_ARGUMENT", f"The model {self.source.name} has no tokenizer.")
        return self.tokenizer

    @property
    def attention_implementation(self) -> str:
        return str(self.config._attn_implementation)

    @cached_property
    def hidden_size(self) -> int:
        return int(self.config.hidden_size)

    @cached_property
    def vocabulary_size(self) -> int:
        return int(self.config.vocab_size)

    @cached_property
    def context_length(self) -> int | None:
        """The longest sequence the model was made for, in tokens; None where nothing limits it."""
        return self.limits.tokens

    @cached_property
    def limits(self) -> Limits:
        """What the model can read."""
        return limits_of(self.model)

    @cached_property
    def pattern(self) -> Pattern | None:
        """The order of its blocks' kinds, where they are of two."""
        return pattern_of(self.config, self.family)

    @cached_property
    def _window(self) -> int | None:
        """How far back a sliding attention of this model sees, in tokens; None without one."""
        types = getattr(self.config, "layer_types", None)
        window = getattr(self.config, "sliding_window", None)
        slides = types is None or any("sliding" in kind for kind in types)
        return int(window) if window is not None and slides else None

    @cached_property
    def parameters(self) -> int:
        """Number of parameters, tied ones counted once; packed ones are those that they stand for."""
        return sum(weights_in(parameter) for parameter in self.model.parameters())

    def can_branch(self, longest: int) -> bool:
        """Whether `begin` takes a `Branching` whose prompt with any one continuation has at most `longest`
        tokens. A mask of one's own takes the place of a sliding window, so none may be shorter than that."""
        return (
            self.family.branching(self.config)
            and self.attention_implementation in MASKED_ATTENTION
            and (self._window is None or longest <= self._window)
        )

    @contextmanager
    def heard_by(self, listener: Listener) -> Iterator[None]:
        """Inside, `listener` hears of every pass."""
        assert self._listener is None, "a decoder has one listener at a time"
        self._listener = listener
        try:
            yield
        finally:
            self._listener = None

    def announce(self, tokens: Tokens) -> None:
        """What runs the model otherwise than by `begin` says so before."""
        if self._listener is not None:
            self._listener.begin(tokens)

    def begin(
        self, input_ids: LongTensor, branching: Branching | None = None, counted: Tensor | None = None
    ) -> Replay:
        """Embed `input_ids`, (batch, sequence), and learn what each block is called with. `counted`, bool:
        the tokens that fill no shorter row; None: all."""
        if self._listener is not None:
            plain = torch.arange(input_ids.shape[1], device=self.device).expand(input_ids.shape)
            positions = plain if branching is None else branching.position_ids.to(self.device)
            self._listener.begin(Tokens.text(positions, counted))
        recorders = [Recorder(self.family.block_returns) for _ in range(self.depth)]
        inputs = {} if branching is None else branching.inputs(self.device, self.dtype)
        with self._in_place_of_blocks(recorders):
            # The base model has everything up to the final norm: no need to pay for the head here.
            self.model.base_model(input_ids=input_ids, **inputs, **self._forward_options)
        first = recorders[0].hidden
        assert first is not None
        recorded = tuple(
            _recorded_at(recorder.recorded(), place)
            for recorder, place in zip(recorders, self._places, strict=True)
        )
        if branching is not None:
            _check_masked(recorded, inputs["attention_mask"], self.config.model_type)
        return Replay(input_ids, first, recorded)

    def run_block(self, index: int, hidden: Tensor, replay: Replay, block: nn.Module | None = None) -> Tensor:
        """x_{l+1} from x_l, both (batch, sequence, hidden). A removed unit is left out. `block`: one that
        runs in the place of block `index`, called as that one is."""
        recorded = replay.arguments[index]
        output = (self.blocks[index] if block is None else block)(
            self.at(index, hidden), *recorded.positional, **recorded.keywords
        )
        result = output[0] if isinstance(output, tuple) else output
        assert isinstance(result, Tensor)
        return result

    def stream(self, replay: Replay, boundary: int, check: Callable[[], None] = lambda: None) -> Tensor:
        """The stream in front of block `boundary`, `depth` being behind the last one: (batch, sequence,
        hidden). `check` is called before each block."""
        hidden = replay.hidden
        for index in range(boundary):
            check()
            hidden = self.run_block(index, hidden, replay)
        return hidden

    def run_block_split(self, index: int, hidden: Tensor, replay: Replay) -> BlockStates:
        """The same, with what stands on the residual stream between the sublayers."""
        hidden = self.at(index, hidden)
        with split_block(self.blocks[index], self.family, self.parallel, hidden) as observed:
            x_out = self.run_block(index, hidden, replay)
        return observed.states(x_out)

    def logits(self, hidden: Tensor, replay: Replay) -> Tensor:
        """The model's own norm, head, softcap and scale: (batch, sequence, hidden) to
        (batch, sequence, vocabulary).

        `hidden` is the residual stream after the last block, or its first positions.
        """
        with self._in_place_of_blocks([Replacement(hidden, self.family.block_returns)]):
            output = self.model(input_ids=replay.input_ids[:, : hidden.shape[1]], **self._forward_options)
        logits = output.logits
        assert isinstance(logits, Tensor)
        return logits

    @contextmanager
    def _in_place_of_blocks(self, modules: Sequence[nn.Module]) -> Iterator[None]:
        """Put `modules` where the model keeps its list of blocks."""
        path, _, name = self.family.blocks.rpartition(".")
        parent = self.model.get_submodule(path)
        blocks = self.blocks
        setattr(parent, name, nn.ModuleList(modules))
        try:
            yield
        finally:
            setattr(parent, name, blocks)


def edited_module(decoder: Decoder, index: int) -> nn.Module:
    """What a repair's edit of block `index` changes weights of: the block as it stands; behind the last one,
    the output head."""
    if index < decoder.depth:
        return decoder.blocks[index]
    head = decoder.model.get_output_embeddings()
    assert isinstance(head, nn.Module)
    return head


def _places(blocks: nn.ModuleList, first: torch.device) -> tuple[torch.device, ...]:
    weights = (next(block.parameters(), None) for block in blocks)
    return tuple(first if weight is None else weight.device for weight in weights)


def _recorded_at(recorded: Recorded, device: torch.device) -> Recorded:
    return Recorded(moved(recorded.positional, device), moved(recorded.keywords, device))


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and torch.equal(one.to(other.device), other)


def _check_masked(recorded: Sequence[Recorded], mask: Tensor, model_type: str) -> None:
    """Refuse a model that calls a block with another mask than it was given."""
    for index, call in enumerate(recorded):
        given = (*call.positional, *call.keywords.values())
        if not any(one is mask or (isinstance(one, Tensor) and _same(one, mask)) for one in given):
            raise DepthkitError(
                "MODEL_UNSUPPORTED",
                f"Block {index} of this {model_type} model does not get the attention mask it was given.",
                modelType=model_type,
            )


def _module_list(model: nn.Module, path: str) -> nn.ModuleList:
    found = model.get_submodule(path)
    assert isinstance(found, nn.ModuleList)
    return found


def _forward_options(config: PreTrainedConfig) -> Mapping[str, Any]:
    options: dict[str, Any] = {"use_cache": False, "return_dict": True}
    # The router's load-balancing loss needs every block's outputs, which recorders do not have.
    if hasattr(config, "output_router_logits"):
        options["output_router_logits"] = False
    return options
