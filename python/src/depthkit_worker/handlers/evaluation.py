from __future__ import annotations

import time

from transformers import PreTrainedTokenizerBase

from depthkit_worker.data.stream import TextStream, make_stream
from depthkit_worker.data.text import Texts
from depthkit_worker.data.tokens import tokenizer_digest
from depthkit_worker.evaluation.perplexity import PerplexityOptions
from depthkit_worker.evaluation.perplexity import perplexity as measure_perplexity
from depthkit_worker.handlers.sources import data_info, read_texts, subject
from depthkit_worker.protocol.wire import EvaluationPerplexityParams, PerplexityResult
from depthkit_worker.server.call import Call
from depthkit_worker.server.session import Session


def perplexity(session: Session, params: EvaluationPerplexityParams, call: Call) -> PerplexityResult:
    started = time.monotonic()
    on = subject(session, params)
    decoder = on.decoder
    texts = read_texts(params.data, call)
    stream = _stream(session, decoder.require_tokenizer(), texts, params, call)
    options = PerplexityOptions(
        chunk=params.chunk,
        stride=params.stride,
        max_chunks=params.max_chunks,
        bos=params.bos,
        batch_size=params.batch_size,
    )
    result = measure_perplexity(decoder, stream, options, call, units=on.units, repairs=on.repairs)
    return PerplexityResult(
        perplexity=result.perplexity,
        loss=result.loss,
        mean_of_sequences=result.mean_of_sequences,
        word_perplexity=result.word_perplexity,
        bits_per_byte=result.bits_per_byte,
        data=data_info(texts),
        rows=params.rows,
        separator=params.separator,
        chunk=result.windows.chunk,
        stride=result.windows.stride,
        chunks=result.chunks,
        bos=result.bos,
        bos_added=result.bos_added,
        tokens_total=result.tokens_total,
        tokens_scored=result.tokens_scored,
        tokens_dropped=result.tokens_dropped,
        batch_size=result.batch_size,
        seconds=time.monotonic() - started,
    )


def _stream(
    session: Session,
    tokenizer: PreTrainedTokenizerBase,
    texts: Texts,
    params: EvaluationPerplexityParams,
    call: Call,
) -> TextStream:
    key = (texts.digest, tokenizer_digest(tokenizer), params.rows, params.separator)
    if session.last_stream is None or session.last_stream[0] != key:
        stream = make_stream(tokenizer, texts, call, rows=params.rows, separator=params.separator)
        session.last_stream = (key, stream)
    return session.last_stream[1]
