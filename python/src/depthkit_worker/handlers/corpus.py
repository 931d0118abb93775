from __future__ import annotations

from depthkit_worker.contract.wire import CorpusLoadParams, CorpusLoadResult, CorpusUnloadParams, Empty
from depthkit_worker.data.corpus import make_corpus
from depthkit_worker.data.text import read_texts
from depthkit_worker.data.tokens import reading_tokeniser_of
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def load(session: Session, params: CorpusLoadParams, call: Call) -> CorpusLoadResult:
    tokeniser = reading_tokeniser_of(session.models.get(params.model))
    corpus = make_corpus(tokeniser, read_texts(params.data, call), params, call)
    return CorpusLoadResult(corpus=session.corpora.add(corpus), info=corpus.info)


def unload(session: Session, params: CorpusUnloadParams, call: Call) -> Empty:
    session.corpora.drop(params.corpus)
    return Empty()
