from __future__ import annotations

from depthkit_worker.contract.wire import PoliciesMeasureParams, PoliciesMeasureResult
from depthkit_worker.handlers.sources import check_readable, subnetwork_of
from depthkit_worker.policies import measure as measures
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def measure(session: Session, params: PoliciesMeasureParams, call: Call) -> PoliciesMeasureResult:
    subnetwork = subnetwork_of(session, params)
    corpus = session.corpora.get(params.corpus)
    check_readable(corpus, subnetwork.decoder)
    return measures.measure(subnetwork, params.policy, corpus, params, call)
