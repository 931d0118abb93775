"""Wire forms that several method groups share, as the library's own types and back."""

from __future__ import annotations

from typing import Protocol

from depthkit_worker.contract.wire import DataInfo, FileSource, TextSource
from depthkit_worker.data.text import Texts, texts_from_files, texts_from_strings
from depthkit_worker.data.tokens import tokenizer_digest
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Job
from depthkit_worker.session.session import Session
from depthkit_worker.subnetworks.subnetwork import Subnetwork


def read_texts(source: FileSource | TextSource, job: Job) -> Texts:
    if isinstance(source, FileSource):
        return texts_from_files(source.paths, job, text_field=source.text_field, strict=source.strict)
    return texts_from_strings(source.texts)


def data_info(texts: Texts) -> DataInfo:
    return DataInfo(
        digest=texts.digest,
        files=list(texts.files),
        records=texts.records,
        skipped=texts.skipped,
        lines=texts.lines,
        characters=texts.characters,
        bytes=texts.bytes,
    )


def parse_units(names: list[str]) -> tuple[Unit, ...]:
    return tuple(Unit.parse(name) for name in names)


class SubnetworkParams(Protocol):
    """The fields of params that name a subnetwork."""

    @property
    def model(self) -> str: ...
    @property
    def removed(self) -> list[str]: ...
    @property
    def repairs(self) -> list[str]: ...


def subnetwork_of(session: Session, params: SubnetworkParams) -> Subnetwork:
    """The subnetwork a call works on."""
    repairs = tuple(session.repairs.get(handle) for handle in params.repairs)
    return Subnetwork(session.models.get(params.model), parse_units(params.removed), repairs)


class Tokenised(Protocol):
    """A corpus or a task."""

    @property
    def tokenizer_digest(self) -> str: ...


def check_tokenizer(data: Tokenised, decoder: Decoder) -> None:
    """Data hold token ids: under another tokeniser they are other words."""
    here, there = tokenizer_digest(decoder.require_tokenizer()), data.tokenizer_digest
    if there != here:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            "The data were tokenised for a model with another tokeniser "
            f"({there[:12]}, not {here[:12]}). Load them again from this model.",
        )
