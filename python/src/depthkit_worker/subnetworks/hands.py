"""Who does the work of a call about one subnetwork: items that are independent and may be cut anywhere.

`OwnDevice` does it on the worker's decoder as it stands; the hands of `cluster/` have actors do parts of it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.session.job import Job

P = TypeVar("P")
P_contra = TypeVar("P_contra", contravariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Load(NamedTuple):
    """What a batch costs."""

    passes: int
    """Runs of the blocks: one, and one for each token that is written."""
    tokens: int
    """In all of them together."""


@dataclass(frozen=True)
class Items(Generic[P]):
    """What work is done on."""

    count: int
    batch: int
    """Items that run together."""
    load: Callable[[range], Load]
    """Of some items as one batch."""
    part: Callable[[range], P]
    """Some items, with all that their work needs of the data; they travel."""
    answer_bytes: int = 0
    """That what is found of a part weighs at least, however few its items."""


class Work(Protocol[P_contra, R_co]):
    """What is done to items: plain data, which travels too."""

    def run(self, decoder: Decoder, part: P_contra, job: Job) -> Iterator[R_co]:
        """What is found, batch by batch, on `decoder` as it stands."""


Note = Callable[[str], None]
"""Hears of what a result should say."""


class Hands(Protocol):
    def run(
        self,
        work: Work[P, R],
        items: Items[P],
        job: Job,
        *,
        ordered: bool = False,
        note: Note = lambda _text: None,
        kind: str | None = None,
    ) -> Generator[R]:
        """What is found of all items, as it comes; `ordered`: in the items' order. `kind`: what the pace of
        the work is known by; None: its class. Whoever gives up closes it, so that nobody goes on."""


class OwnDevice:
    """Does it here, all items as one part."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def run(
        self,
        work: Work[P, R],
        items: Items[P],
        job: Job,
        *,
        ordered: bool = False,
        note: Note = lambda _text: None,
        kind: str | None = None,
    ) -> Generator[R]:
        if items.count:
            yield from work.run(self._decoder, items.part(range(items.count)), job)
