from __future__ import annotations

from depthkit_worker.contract.wire import (
    CorpusLoadParams,
    CorpusLoadResult,
    CorpusOverlap,
    CorpusOverlapParams,
    CorpusUnloadParams,
    CorpusWriteParams,
    Empty,
)
from depthkit_worker.data.corpus import make_corpus
from depthkit_worker.data.overlap import overlap as find_overlap
from depthkit_worker.data.text import read_texts
from depthkit_worker.data.tokens import reading_tokeniser_of, tokeniser_of
from depthkit_worker.evaluation.written_corpus import write_corpus
from depthkit_worker.handlers.items import finished_items
from depthkit_worker.handlers.sources import check_readable, hands_of
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session
from depthkit_worker.subnetworks.subnetwork import Subnetwork


def load(session: Session, params: CorpusLoadParams, call: Call) -> CorpusLoadResult:
    tokeniser = reading_tokeniser_of(session.models.get(params.model))
    corpus = make_corpus(tokeniser, read_texts(params.data, call), params, call)
    return CorpusLoadResult(corpus=session.corpora.add(corpus), info=corpus.info)


def write(session: Session, params: CorpusWriteParams, call: Call) -> CorpusLoadResult:
    decoder, prompts = session.models.get(params.model), session.corpora.get(params.corpus)
    check_readable(prompts, decoder)
    finished = finished_items(params.known, call)
    hands = hands_of(session, Subnetwork.dense(decoder))
    corpus = write_corpus(decoder, prompts, params, call, finished=finished, hands=hands)
    return CorpusLoadResult(corpus=session.corpora.add(corpus), info=corpus.info)


def overlap(session: Session, params: CorpusOverlapParams, call: Call) -> CorpusOverlap:
    decoder = session.models.get(params.model)
    first, second = session.corpora.get(params.first), session.corpora.get(params.second)
    for corpus in (first, second):
        check_readable(corpus, decoder)
    return find_overlap(tokeniser_of(decoder), first, second, call)


def unload(session: Session, params: CorpusUnloadParams, call: Call) -> Empty:
    session.corpora.drop(params.corpus)
    return Empty()
