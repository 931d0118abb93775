"""What params name, as the library's own types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from depthkit_worker.data.corpus import Corpus
from depthkit_worker.data.tasks import Task
from depthkit_worker.data.tokens import tokenizer_digest
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.session.session import Session
from depthkit_worker.subnetworks.hands import Hands
from depthkit_worker.subnetworks.subnetwork import Subnetwork


def parse_units(names: Iterable[str]) -> tuple[Unit, ...]:
    return tuple(Unit.parse(name) for name in names)


class SubnetworkParams(Protocol):
    """The fields of params that name a subnetwork."""

    @property
    def model(self) -> str: ...
    @property
    def removed(self) -> tuple[str, ...]: ...
    @property
    def repairs(self) -> tuple[str, ...]: ...


def subnetwork_of(session: Session, params: SubnetworkParams) -> Subnetwork:
    """The subnetwork a call works on."""
    repairs = tuple(session.repairs.get(handle) for handle in params.repairs)
    return Subnetwork(session.models.get(params.model), parse_units(params.removed), repairs)


def hands_of(session: Session, subnetwork: Subnetwork) -> Hands | None:
    """The actors that work on it; None: without a cluster."""
    return None if session.cluster is None else session.cluster.hands(subnetwork)


def data_of(session: Session, handle: str) -> Corpus | Task:
    """What a handle of either kind names."""
    return session.tasks.get(handle) if handle.startswith("task-") else session.corpora.get(handle)


class Tokenised(Protocol):
    """A corpus or a task."""

    @property
    def tokenizer_digest(self) -> str: ...
    @property
    def highest_id(self) -> int: ...
    @property
    def longest(self) -> int:
        """Tokens that are read at a time."""


def check_readable(data: Tokenised, decoder: Decoder) -> None:
    """Data hold token ids: under another tokeniser they are other words. They were held to what the model
    reads that they were loaded from, which may be more than `decoder` reads."""
    here, there = tokenizer_digest(decoder.require_tokenizer()), data.tokenizer_digest
    if there != here:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            "The data were tokenised for a model with another tokeniser "
            f"({there[:12]}, not {here[:12]}). Load them again from this model.",
        )
    decoder.limits.require_highest(data.highest_id, "The data")
    decoder.limits.require_length(
        data.longest, "The data's longest sequence", "Load them again from this model."
    )
