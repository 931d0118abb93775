from __future__ import annotations

import time

from depthkit_worker.contract.wire import (
    InfluenceGradientParams,
    InfluenceGradientResult,
    InfluenceMeasureParams,
    InfluenceMeasureResult,
    InfluenceStreamParams,
    InfluenceStreamResult,
)
from depthkit_worker.handlers.sources import check_readable, hands_of, parse_units, subnetwork_of
from depthkit_worker.influence.gradients import gradient_influence
from depthkit_worker.influence.static import static_influence
from depthkit_worker.influence.stream import stream_measures
from depthkit_worker.memory.allocator import freed_memory_kept
from depthkit_worker.policies.follow import at_work
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork


def measure(session: Session, params: InfluenceMeasureParams, call: Call) -> InfluenceMeasureResult:
    started = time.monotonic()
    subnetwork, corpus = subnetwork_of(session, params), session.corpora.get(params.corpus)
    check_readable(corpus, subnetwork.decoder)
    with at_work(subnetwork, None, hands_of(session, subnetwork)) as (hands, _):
        influence = static_influence(subnetwork.decoder, corpus, params, call, hands)
    return InfluenceMeasureResult(
        kinds=influence.kinds,
        metrics=influence.metrics,
        values=call.attach(influence.values.numpy()),
        standard_errors=call.attach(influence.standard_errors.numpy()),
        angular=call.attach(influence.angular.numpy()),
        cosines=None if influence.cosines is None else call.attach(influence.cosines.numpy()),
        angular_tokens=params.angular_tokens,
        skip_first_tokens=params.skip_first_tokens,
        sequences=influence.sequences,
        tokens=influence.tokens,
        seconds=time.monotonic() - started,
    )


def gradients(session: Session, params: InfluenceGradientParams, call: Call) -> InfluenceGradientResult:
    started = time.monotonic()
    decoder, corpus = session.models.get(params.model), session.corpora.get(params.corpus)
    check_readable(corpus, decoder)
    subnetwork = Subnetwork(decoder, parse_units(params.removed))
    with freed_memory_kept(decoder.device), removed(subnetwork):
        influence = gradient_influence(decoder, corpus, params, call)
    return InfluenceGradientResult(
        kinds=influence.kinds,
        metrics=influence.metrics,
        values=call.attach(influence.values.numpy()),
        standard_errors=call.attach(influence.standard_errors.numpy()),
        weights=call.attach(influence.weights.double().numpy()),
        loss=influence.loss,
        sequences=influence.sequences,
        tokens=influence.tokens,
        seconds=time.monotonic() - started,
    )


def stream(session: Session, params: InfluenceStreamParams, call: Call) -> InfluenceStreamResult:
    started = time.monotonic()
    subnetwork, corpus = subnetwork_of(session, params), session.corpora.get(params.corpus)
    check_readable(corpus, subnetwork.decoder)
    with at_work(subnetwork, None, hands_of(session, subnetwork)) as (hands, _):
        found = stream_measures(subnetwork.decoder, corpus, params, call, hands)
    return InfluenceStreamResult(
        measures=found.measures,
        values=call.attach(found.values.numpy()),
        standard_errors=call.attach(found.standard_errors.numpy()),
        coding_rate_bound=found.bound,
        sequences=found.sequences,
        tokens=found.tokens,
        seconds=time.monotonic() - started,
    )
