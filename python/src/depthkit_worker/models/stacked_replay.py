"""One batch several times over, as the model itself has it: what several states are run with at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import LongTensor, Tensor

from depthkit_worker.models.decoder import Branching, Decoder, Replay
from depthkit_worker.models.recorders import Recorded

PLAIN = (bool, int, float, str, type(None))


class StackedReplay:
    """The model's own calls of its blocks for a batch that stands `copies` times in a row."""

    def __init__(self, one: Replay, most: Replay, copies: int) -> None:
        self.one = one
        self.copies = copies
        self._most = most
        self._cut: dict[int, Replay] = {1: one, copies: most}

    def of(self, copies: int) -> Replay:
        """The same for the first `copies` of them."""
        if copies not in self._cut:
            self._cut[copies] = self._first(copies)
        return self._cut[copies]

    def _first(self, copies: int) -> Replay:
        return Replay(
            cast("LongTensor", _first(copies, self.one.input_ids, self._most.input_ids)),
            _first(copies, self.one.hidden, self._most.hidden),
            tuple(
                Recorded(
                    _first(copies, one.positional, most.positional),
                    _first(copies, one.keywords, most.keywords),
                )
                for one, most in zip(self.one.arguments, self._most.arguments, strict=True)
            ),
        )


def stacked_replay(
    decoder: Decoder, one: Replay, copies: int, branching: Branching | None, counted: Tensor | None
) -> StackedReplay | None:
    """For `one`, which `decoder.begin` gave of a batch with this `branching` and these `counted`; None where
    the blocks are called with something that is neither a tensor nor a plain value, which cannot be cut."""
    most = decoder.begin(
        cast("LongTensor", one.input_ids.repeat(copies, 1)),
        None
        if branching is None
        else Branching(branching.position_ids.repeat(copies, 1), branching.sees.repeat(copies, 1, 1)),
        None if counted is None else counted.repeat(copies, 1),
    )
    cut = all(
        _can_be_cut(copies, a, b)
        for of_one, of_most in zip(one.arguments, most.arguments, strict=True)
        for a, b in ((of_one.positional, of_most.positional), (of_one.keywords, of_most.keywords))
    )
    return StackedReplay(one, most, copies) if cut else None


def _can_be_cut(copies: int, one: Any, most: Any) -> bool:
    if isinstance(most, Tensor):
        return one.shape == most.shape or most.shape == (copies * one.shape[0], *one.shape[1:])
    if isinstance(most, list | tuple):
        return all(_can_be_cut(copies, a, b) for a, b in zip(one, most, strict=True))
    if isinstance(most, Mapping):
        return all(_can_be_cut(copies, one[name], value) for name, value in most.items())
    return isinstance(most, PLAIN)


def _first(copies: int, one: Any, most: Any) -> Any:
    """Of `most` what belongs to its first `copies` copies of `one`. What does not grow belongs to all."""
    if isinstance(most, Tensor):
        return most if one.shape == most.shape else most[: copies * one.shape[0]]
    if isinstance(most, list | tuple):
        return type(most)(_first(copies, a, b) for a, b in zip(one, most, strict=True))
    if isinstance(most, Mapping):
        return {name: _first(copies, one[name], value) for name, value in most.items()}
    return most
