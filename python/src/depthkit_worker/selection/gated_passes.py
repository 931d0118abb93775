"""A batch through a model whose units have gates that are 0 or 1, and the slope of its loss in each gate.

With a gate g a unit adds g times its update to the stream, so dLoss/dg is the loss's gradient for the stream
behind the unit times the update; of a unit that is gone, the update that it would add. What is gone is not
run forward; it runs on the way back, on the very stream that reaches its place.
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


@dataclass(frozen=True)
class _Way:
    """A batch's way back through one block."""

    lost: Parts
    x: Tensor
    """The stream in front of the block, (batch, sequence, hidden), as all that follow."""
    middle: Tensor | None
    """Between its sublayers; None in parallel wiring, and where neither ran."""
    out: Tensor
    below: Tensor
    """The loss's gradient for `x`."""
    at_middle: Tensor
    """And for the stream behind the attention."""
    gradients: Mapping[nn.Parameter, Tensor]


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
        loss, gradient = self._head(replay, streams[-1], targets, sequences)
        gradient = gradient / tokens
        slopes = torch.zeros(len(self._units), dtype=torch.float64)
        gradients: dict[nn.Parameter, Tensor] = {}
        places = self._places()
        lowest = min((*places, *(index for index, own in parameters.items() if own)))
        for index in reversed(range(lowest, self._decoder.depth)):
            self._job.check()
            way = self._backward(index, streams, replay, gradient, lost[index], parameters.get(index, ()))
            gradients.update(way.gradients)
            for place in places.get(index, ()):
                unit = self._units[place]
                at = way.at_middle if unit.kind == "attention" else gradient
                slopes[place] = float((in_fp64(self._update(unit, way, replay)) * in_fp64(at)).sum())
            gradient = way.below
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
    def _forward(
        self, sequences: Sequence[int], lost: Sequence[Parts]
    ) -> tuple[Replay, list[Tensor], Tensor]:
        """The stream in front of every block and behind the last, and what each position predicts."""
        decoder, batch = self._decoder, self._corpus.batch_of(sequences)
        replay = decoder.begin(cast("LongTensor", batch.input_ids.to(decoder.device)))
        streams = [replay.hidden]
        for index in range(decoder.depth):
            self._job.check()
            x = streams[-1]
            streams.append(x if lost[index] is Parts.BOTH else self._run(index, x, replay, lost[index]).x_out)
        return replay, streams, next_tokens(batch.input_ids, batch.lengths)

    def _head(
        self, replay: Replay, final: Tensor, targets: Tensor, sequences: Sequence[int]
    ) -> tuple[float, Tensor]:
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
        self,
        index: int,
        streams: Sequence[Tensor],
        replay: Replay,
        gradient: Tensor,
        lost: Parts,
        own: Sequence[nn.Parameter],
    ) -> _Way:
        x, out = streams[index], streams[index + 1]
        if lost is Parts.BOTH:
            return _Way(lost, x, None, out, gradient, gradient, {})
        x = x.detach().requires_grad_(True)
        with torch.enable_grad(), self._without(index, lost), middle_of(self._decoder, index) as middle:
            again = self._decoder.run_block(index, x, replay)
            found: tuple[Tensor | None, ...] = torch.autograd.grad(
                again, [x, *middle, *own], gradient, allow_unused=True
            )
        below, *rest = found
        assert below is not None
        at_middle = rest[0] if middle else gradient
        assert at_middle is not None
        learned = zip(own, rest[len(middle) :], strict=True)
        return _Way(
            lost,
            x.detach(),
            middle[0].detach().view(x.shape) if middle else None,
            out,
            below,
            at_middle.view(x.shape),
            {parameter: each for parameter, each in learned if each is not None},
        )

    @torch.no_grad()
    def _update(self, unit: Unit, way: _Way, replay: Replay) -> Tensor:
        """What the unit adds, or would add: seen where it ran, else it runs now."""
        x, middle, lost = way.x, way.middle, way.lost
        match unit.kind:
            case "block":
                out = self._run(unit.index, x, replay, Parts.NONE).x_out if lost else way.out
                return out - x
            case "attention":
                if middle is not None and Parts.ATTENTION not in lost:
                    return middle - x
                return self._run(unit.index, x, replay, Parts.NONE).attention_out - x
            case "feed-forward":
                if middle is not None and Parts.FEED_FORWARD not in lost:
                    return way.out - middle
                states = self._run(unit.index, x, replay, lost & Parts.ATTENTION)
                return states.feed_forward_out - states.feed_forward_in
