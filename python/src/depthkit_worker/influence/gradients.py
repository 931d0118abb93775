"""Influence by the gradient of the next-token loss: how much the loss would change, to first order.

taylor: the sum over a unit's weights of |weight x gradient| (Shortened LLaMA, arXiv 2402.02834). gate: with
every unit's update multiplied by a gate g, which is 1, what closing this one adds to the loss: -dLoss/dg. One
pass down and one back serves all units: the stream in front of every block is kept, and each block runs once
more, with gradients, on the way back, so that memory holds one block's activations and not those of all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast, get_args

import numpy as np
import torch
from torch import LongTensor, Tensor, nn

from depthkit_worker.contract.wire import GradientMetric, InfluenceGradientOptions, UnitKind
from depthkit_worker.data.corpus import Batch, Corpus
from depthkit_worker.errors import DepthkitError
from depthkit_worker.influence.backward import head_gradient, middle_of
from depthkit_worker.influence.moments import Moments
from depthkit_worker.models.decoder import Decoder, Replay
from depthkit_worker.models.devices import in_fp64
from depthkit_worker.models.logits import Reader
from depthkit_worker.models.next_token_loss import IGNORED, next_tokens
from depthkit_worker.models.split import BlockStates
from depthkit_worker.models.stand_ins import NoAttention, NoFeedForward, PassThrough
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.session.job import Job

GRADIENT_METRICS: tuple[GradientMetric, ...] = get_args(GradientMetric)


@dataclass(frozen=True)
class GradientInfluence:
    values: Tensor
    """fp64 (kinds, metrics, depth)"""
    standard_errors: Tensor
    """fp64, as `values`: of gate's, over sequences. NaN for taylor, a sum of absolute values of means."""
    weights: Tensor
    """int64 (kinds, depth): numbers that taylor sums over."""
    loss: float
    """Mean over the tokens predicted."""
    sequences: int
    """Sequences with a token to predict."""
    tokens: int
    """Tokens predicted."""
    kinds: tuple[UnitKind, ...] = UNIT_KINDS
    metrics: tuple[GradientMetric, ...] = GRADIENT_METRICS


def gradient_influence(
    decoder: Decoder, corpus: Corpus, options: InfluenceGradientOptions, job: Job
) -> GradientInfluence:
    """Of the mean next-token loss of all tokens alike. The model is left as it was: no gradient stays. Units
    that are removed have the value 0, as have weights that only they made use of, such as the norm in front
    of one."""
    doing = "Taking gradients of the loss in weights"
    decoder.require_plain_weights(doing)
    decoder.require_gradients(doing)
    passes = _Passes(decoder, job)
    loss, done = 0.0, 0
    for batch in corpus.batches(options.batch_size):
        loss += passes.add(batch, range(done, done + len(batch.lengths)))
        done += len(batch.lengths)
        job.report("influence", done, corpus.sequences, "sequences")
    moments = passes.gates
    if moments.tokens == 0:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"No token is predicted: the longest of the {corpus.sequences} sequences has {corpus.length} "
            "token, and a gradient of the next-token loss needs 2. Make a corpus of longer sequences.",
            length=corpus.length,
        )
    taylor = passes.taylor(moments.tokens)
    result = GradientInfluence(
        values=torch.stack([taylor, -moments.mean()], dim=1),
        standard_errors=torch.stack([torch.full_like(taylor, torch.nan), moments.standard_error()], dim=1),
        weights=passes.weights(),
        loss=loss / moments.tokens,
        sequences=moments.sequences,
        tokens=moments.tokens,
    )
    _check_finite(result.values)
    return result


class _Passes:
    """The sums over the batches so far."""

    def __init__(self, decoder: Decoder, job: Job) -> None:
        self._decoder, self._job = decoder, job
        self._reader = Reader("Taking gradients of the loss", decoder.dtype, "sequence")
        self._parameters = [_weights(block) for block in decoder.blocks]
        self._gradients: list[dict[str, Tensor]] = [{} for _ in decoder.blocks]
        """Of the summed loss, by block and parameter, in fp32 at least."""
        self.gates = Moments((len(UNIT_KINDS), decoder.depth))
        """dLoss/dg of each sequence's summed loss."""

    def add(self, batch: Batch, sequences: Sequence[int]) -> float:
        """The summed loss of the batch."""
        decoder = self._decoder
        targets = next_tokens(batch.input_ids, batch.lengths)
        with torch.no_grad():
            replay = decoder.begin(cast("LongTensor", batch.input_ids.to(decoder.device)))
            streams = [replay.hidden]
            for index in range(decoder.depth):
                self._job.check()
                streams.append(decoder.run_block(index, streams[-1], replay))
        final = streams.pop()
        loss, gradient = head_gradient(decoder, self._reader, replay, final, targets, sequences, self._job)
        gates = torch.zeros(len(UNIT_KINDS), decoder.depth, len(batch.lengths), dtype=torch.float64)
        for index in reversed(range(decoder.depth)):
            self._job.check()
            gradient, gates[:, index] = self._block(index, streams.pop(), replay, gradient)
        self.gates.add(gates, (targets != IGNORED).sum(1))
        return loss

    def _block(self, index: int, x: Tensor, replay: Replay, gradient: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient for the stream in front of the block, and those for its gates, (kinds, batch)."""
        block = self._decoder.blocks[index]
        if isinstance(block, PassThrough):
            return gradient, torch.zeros(len(UNIT_KINDS), len(x), dtype=torch.float64)
        names, parameters = list(self._parameters[index]), list(self._parameters[index].values())
        x = x.detach().requires_grad_(True)
        with torch.enable_grad(), _learning(parameters), middle_of(self._decoder, index) as middle:
            states = self._decoder.run_block_split(index, x, replay)
            inputs = [x, *middle, *parameters]
            found: tuple[Tensor | None, ...] = torch.autograd.grad(
                states.x_out, inputs, gradient, allow_unused=True
            )
        below, *rest = found
        behind_attention, own = rest[: len(middle)], rest[len(middle) :]
        pruned = any(isinstance(child, NoAttention | NoFeedForward) for child in block.children())
        for name, parameter, each in zip(names, parameters, own, strict=True):
            if each is None and pruned:
                continue
            if each is None:
                raise _without_gradient(index, name)
            wide = each.to(torch.promote_types(parameter.dtype, torch.float32))
            sums = self._gradients[index]
            sums[name] = sums[name].add_(wide) if name in sums else wide
        at_attention = behind_attention[0] if behind_attention else gradient
        # Both are on the way from the block's end to its weights.
        assert below is not None and at_attention is not None
        at_attention = at_attention.view(x.shape)
        return below, _gates(states, gradient, at_attention)

    def taylor(self, tokens: int) -> Tensor:
        """fp64 (kinds, depth)"""
        values = torch.zeros(len(UNIT_KINDS), self._decoder.depth, dtype=torch.float64)
        for index, sums in enumerate(self._gradients):
            for name, gradient in sums.items():
                parameter = self._parameters[index][name].detach().to(gradient.dtype)
                value = float((parameter * gradient).abs().sum(dtype=torch.float64))
                for kind in self._kinds_of(name):
                    values[UNIT_KINDS.index(kind), index] += value / tokens
        return values

    def weights(self) -> Tensor:
        """int64 (kinds, depth)"""
        counts = torch.zeros(len(UNIT_KINDS), self._decoder.depth, dtype=torch.int64)
        for index, parameters in enumerate(self._parameters):
            for name, parameter in parameters.items():
                for kind in self._kinds_of(name):
                    counts[UNIT_KINDS.index(kind), index] += parameter.numel()
        return counts

    def _kinds_of(self, name: str) -> tuple[UnitKind, ...]:
        """The kinds of unit that a block's parameter is a weight of. A norm is the block's alone."""
        child, family = name.partition(".")[0], self._decoder.family
        if child == family.attention:
            return ("block", "attention")
        return ("block", "feed-forward") if child in family.feed_forward else ("block",)


def _weights(block: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in block.named_parameters() if parameter.is_floating_point()}


@contextmanager
def _learning(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    before = [parameter.requires_grad for parameter in parameters]
    try:
        for parameter in parameters:
            parameter.requires_grad_(True)
        yield
    finally:
        for parameter, flag in zip(parameters, before, strict=True):
            parameter.requires_grad_(flag)


@torch.no_grad()
def _gates(states: BlockStates, gradient: Tensor, at_attention: Tensor) -> Tensor:
    """dLoss/dg of each kind's gate: the gradient for the stream behind the unit times what the unit adds,
    summed over each sequence. fp64 (kinds, batch) on the CPU."""
    at_end = in_fp64(gradient)
    ends = {
        "block": (states.x_in, states.x_out, at_end),
        "attention": (states.x_in, states.attention_out, in_fp64(at_attention)),
        "feed-forward": (states.feed_forward_in, states.feed_forward_out, at_end),
    }
    products = []
    for kind in UNIT_KINDS:
        before, after, slope = ends[kind]
        products.append(((in_fp64(after.detach()) - in_fp64(before.detach())) * slope).sum((1, 2)))
    return torch.stack(products).cpu()


def _without_gradient(index: int, name: str) -> DepthkitError:
    return DepthkitError(
        "NOT_MEASURABLE",
        f"The gradient influence of block.{index}: no gradient of the loss reaches its parameter {name}, so "
        "its share is not known. The block's forward does not use it as it stands, or runs it outside "
        "autograd.",
        unit=f"block.{index}",
        parameter=name,
    )


def _check_finite(values: Tensor) -> None:
    """`values`: (kinds, metrics, depth). The highest block is named: gradients come from above."""
    broken = np.argwhere(~values.isfinite().all(1).numpy())
    if len(broken):
        kind, index = max(broken.tolist(), key=lambda place: place[1])
        unit = Unit(UNIT_KINDS[kind], index)
        raise DepthkitError(
            "NOT_MEASURABLE",
            f"The gradient influence of {unit} is not a finite number, and that of every unit above it is. "
            "Look for NaN or infinity in its weights, or load the model in a wider dtype.",
            unit=str(unit),
        )
