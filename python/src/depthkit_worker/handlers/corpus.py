from __future__ import annotations

from depthkit_worker.contract.wire import CorpusInfo, CorpusLoadParams, CorpusUnloadParams, Empty
from depthkit_worker.data.corpus import CorpusOptions, make_corpus
from depthkit_worker.handlers.sources import data_info, read_texts
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def load(session: Session, params: CorpusLoadParams, call: Call) -> CorpusInfo:
    tokenizer = session.models.get(params.model).require_tokenizer()
    options = CorpusOptions(
        length=params.length,
        sequences=params.sequences,
        packing=params.packing,
        separator=params.separator,
        bos=params.bos,
    )
    corpus = make_corpus(tokenizer, read_texts(params.data, call), options, call)
    return CorpusInfo(
        corpus=session.corpora.add(corpus),
        data=data_info(corpus.texts),
        tokens_digest=corpus.tokens_digest,
        sequences=corpus.sequences,
        length=params.length,
        tokens=corpus.tokens,
        tokens_total=corpus.tokens_total,
        tokens_dropped=corpus.tokens_dropped,
        packing=params.packing,
        separator=params.separator,
        bos=params.bos,
        bos_added=corpus.bos_added,
    )


def unload(session: Session, params: CorpusUnloadParams, call: Call) -> Empty:
    session.corpora.drop(params.corpus)
    return Empty()
