from __future__ import annotations

import os
import time
from pathlib import Path

from depthkit_worker.contract import wire
from depthkit_worker.contract.wire import (
    Empty,
    ModelInfo,
    ModelLoadParams,
    ModelLoadResult,
    ModelPattern,
    ModelTokenizerParams,
    ModelUnloadParams,
    TokenizerInfo,
)
from depthkit_worker.data.tokens import tokenizer_digest
from depthkit_worker.memory.allocator import release
from depthkit_worker.models.dtypes import dtype_name
from depthkit_worker.models.load import load_model
from depthkit_worker.models.model_digest import model_digest
from depthkit_worker.models.pattern import Pattern
from depthkit_worker.models.quantised import Quantisation
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session
from depthkit_worker.subnetworks.screening import screening_of


def load(session: Session, params: ModelLoadParams, call: Call) -> ModelLoadResult:
    started = time.monotonic()
    decoder = load_model(params.source, Path(os.environ["DEPTHKIT_CACHE_FOLDER"]), params, call)
    actors = None if session.cluster is None else session.cluster.place(decoder, params, call)
    info = ModelInfo(
        source=decoder.source.name,
        revision=decoder.source.revision,
        model_type=decoder.config.model_type,
        weights_digest=decoder.source.weights_digest,
        depth=decoder.depth,
        hidden_size=decoder.hidden_size,
        vocabulary_size=decoder.vocabulary_size,
        context_length=decoder.context_length,
        parameters=decoder.parameters,
        parallel=decoder.parallel,
        pattern=_pattern(decoder.pattern),
        dtype=dtype_name(decoder.dtype),
        quantisation=_quantisation(decoder.source.quantisation),
        device=decoder.placement,
        attention=decoder.attention_implementation,
        absent=tuple(map(str, decoder.absent_units)),
        notes=decoder.source.notes,
        load_seconds=time.monotonic() - started,
    )
    return ModelLoadResult(
        model=session.models.add(decoder),
        info=info,
        digest=model_digest(decoder),
        screening=screening_of(decoder),
        actors=actors,
    )


def _pattern(pattern: Pattern | None) -> ModelPattern | None:
    if pattern is None:
        return None
    return ModelPattern(
        kinds=pattern.kinds, period=pattern.period, last=pattern.last, software=pattern.software
    )


def _quantisation(found: Quantisation | None) -> wire.Quantisation | None:
    if found is None:
        return None
    return wire.Quantisation(
        method=found.method,
        bits=found.bits,
        scheme=found.scheme,
        packed=found.packed,
        library=found.library,
    )


def tokenizer(session: Session, params: ModelTokenizerParams, call: Call) -> TokenizerInfo:
    return TokenizerInfo(digest=tokenizer_digest(session.models.get(params.model).require_tokenizer()))


def unload(session: Session, params: ModelUnloadParams, call: Call) -> Empty:
    session.away.wait(call.check, params.model)
    devices = session.close_model(params.model).devices
    for device in devices:
        release(device)
    return Empty()


def forget_everything(session: Session) -> None:
    """All that the session holds, for when its client is gone for good. What has a handle is known as
    closed."""
    devices = [
        device for handle in session.models.handles() for device in session.close_model(handle).devices
    ]
    for registry in (session.corpora, session.tasks, session.generation_tasks, session.repairs):
        registry.clear()
    session.dense_scores.clear()
    session.stream.clear()
    session.dense_streams.clear()
    for device in set(devices):
        release(device)
