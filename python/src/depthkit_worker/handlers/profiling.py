from __future__ import annotations

from depthkit_worker.contract.wire import ProfilingProfileParams, ProfilingProfileResult
from depthkit_worker.handlers.sources import subnetwork_of
from depthkit_worker.profiling import profile as profiles
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def profile(session: Session, params: ProfilingProfileParams, call: Call) -> ProfilingProfileResult:
    return profiles.profile(subnetwork_of(session, params), params, call)
