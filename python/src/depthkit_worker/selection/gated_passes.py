"""A batch through a model whose units have gates that are 0 or 1, and the slope of its loss in each gate.

With a gate g a unit adds g times its update to the stream, so dLoss/dg is the loss's gradient for the stream behind
the unit times the update; of a unit that is gone, the update that it would add. What is gone is not run forward; it
runs on the way back, on the very stream that reaches its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import cast

import torch
from torch import LongTensor, Tensor, nn

from depthkit_worker.data.corpus import Corpus
from depthkit_worker.influence.backward import head_gradient, middle_of
from depthkit_worker.models.decoder import Decoder, Replay
from depthkit_worker.models.devices import in_fp64
from depthkit_worker.models.logits import Reader
from depthkit_worker.models.next_token_loss import IGNORED, next_tokens
from depthkit_worker.models.split import BlockStates
from depthkit_worker.models.units import Parts, Unit, removed_parts
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.gates import gated_block


@dataclass(frozen=True)
class Slopes:
    loss: float
    """Mean next-token loss of the batch, in nats."""
    slopes: Tensor
    """fp64 (units,) on the CPU: dLoss/dg."""
    gradients: Mapping[nn.Parameter, Tensor]
    """Of the parameters that learn along; of those that did not run none."""


class GatedPasses:
    def __init__(self, decoder: Decoder, corpus: Corpus, units: Sequence[Unit], job: Job) -> None:
        self._decoder, self._corpus, self._job = decoder, corpus, job
        self._units = units
        """Those with gates; the others stay."""
        self._reader = Reader("Learning gates", decoder.dtype, "sequence")

    def loss(self, removed: Sequence[Unit], batch_size: int) -> float:
        """Mean next-token loss of the whole corpus, all tokens alike."""
        total, tokens = 0.0, 0
        for first in range(0, self._corpus.sequences, batch_size):
            sequences = range(first, min(first + batch_size, self._corpus.sequences))
            replay, streams, targets = self._forward(sequences, self._parts(removed))
            total += self._head(replay, streams[-1], targets, sequences)[0]
            tokens += int((targets != IGNORED).sum())
        return total / tokens

    def slopes(
        self,
        sequences: Sequence[int],
        removed: Sequence[Unit],
        parameters: Mapping[int, Sequence[nn.Parameter]],
    ) -> Slopes:
        """`parameters`: what learns along, by block."""
        lost = self._parts(removed)
        replay, streams, targets = self._forward(sequences, lost)
        tokens = int((targets != IGNORED).sum())
        loss, gradient = self._head(replay, streams.pop(), targets, sequences)
        gradient = gradient / tokens
        slopes = torch.zeros(len(self._units), dtype=torch.float64)
        gradients: dict[nn.Parameter, Tensor] = {}
        places = self._places()
        lowest = min((*places, *(index for index, own in parameters.items() if own)))
        for index in reversed(range(lowest, self._decoder.depth)):
            self._job.check()
            x, own = streams[index], parameters.get(index, ())
            below, middle, found = self._backward(index, x, replay, gradient, lost[index], own)
            gradients.update(found)
            for place in places.get(index, ()):
                update, at = self._update(self._units[place], x, replay, lost[index], middle, gradient)
                slopes[place] = float((in_fp64(update) * in_fp64(at)).sum())
            gradient = below
        return Slopes(loss / tokens, slopes, gradients)

    def _parts(self, removed: Sequence[Unit]) -> tuple[Parts, ...]:
        return removed_parts(removed, self._decoder.depth)

    def _places(self) -> dict[int, list[int]]:
        """Of the units, by their block."""
        places: dict[int, list[int]] = {}
        for place, unit in enumerate(self._units):
            places.setdefault(unit.index, []).append(place)
        return places

    @torch.no_grad()
    def _forward(self, sequences: Sequence[int], lost: Sequence[Parts]) -> tuple[Replay, list[Tensor], Tensor]:
        """The stream in front of every block and behind the last, and what each position predicts."""
        decoder, batch = self._decoder, self._corpus.batch_of(sequences)
        replay = decoder.begin(cast("LongTensor", batch.input_ids.to(decoder.device)))
        streams = [replay.hidden]
        for index in range(decoder.depth):
            self._job.check()
            x = streams[-1]
            streams.append(x if lost[index] is Parts.BOTH else self._run(index, x, replay, lost[index]).x_out)
        return replay, streams, next_tokens(batch.input_ids, batch.lengths)

    def _head(self, replay: Replay, final: Tensor, targets: Tensor, sequences: Sequence[int]) -> tuple[float, Tensor]:
        return head_gradient(self._decoder, self._reader, replay, final, targets, sequences, self._job)

    def _run(self, index: int, x: Tensor, replay: Replay, lost: Parts) -> BlockStates:
        """The block without the sublayer that is `lost`, one at most."""
        with self._without(index, lost):
            return self._decoder.run_block_split(index, x, replay)

    def _without(self, index: int, lost: Parts) -> AbstractContextManager[None]:
        if lost is Parts.NONE:
            return nullcontext()
        return gated_block(self._decoder.blocks[index], lost, self._decoder.family)

    def _backward(
        self, index: int, x: Tensor, replay: Replay, gradient: Tensor, lost: Parts, own: Sequence[nn.Parameter]
    ) -> tuple[Tensor, Tensor, dict[nn.Parameter, Tensor]]:
        """The gradient for the stream in front of the block, for that behind its attention, and for parameters."""
        if lost is Parts.BOTH:
            return gradient, gradient, {}
        x = x.detach().requires_grad_(True)
        with torch.enable_grad(), self._without(index, lost), middle_of(self._decoder, index) as middle:
            out = self._decoder.run_block(index, x, replay)
            found: tuple[Tensor | None, ...] = torch.autograd.grad(out, [x, *middle, *own], gradient, allow_unused=True)
        below, *rest = found
        assert below is not None
        behind = rest[0] if middle else gradient
        assert behind is not None
        learned = zip(own, rest[len(middle) :], strict=True)
        return below, behind.view(x.shape), {parameter: each for parameter, each in learned if each is not None}

    @torch.no_grad()
    def _update(
        self, unit: Unit, x: Tensor, replay: Replay, lost: Parts, middle: Tensor, gradient: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What the unit adds, or would add, and the gradient for the stream behind it."""
        match unit.kind:
            case "block":
                return self._run(unit.index, x, replay, Parts.NONE).x_out - x, gradient
            case "attention":
                return self._run(unit.index, x, replay, Parts.NONE).attention_out - x, middle
            case "feed-forward":
                states = self._run(unit.index, x, replay, lost & Parts.ATTENTION)
                return states.feed_forward_out - states.feed_forward_in, gradient
