from __future__ import annotations

from depthkit_worker.contract.wire import (
    ProfilingProfileParams,
    ProfilingProfileResult,
    ProfilingUnitCostsParams,
    ProfilingUnitCostsResult,
)
from depthkit_worker.handlers.sources import subnetwork_of
from depthkit_worker.profiling import profile as profiles
from depthkit_worker.profiling import unit_costs as costs
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def profile(session: Session, params: ProfilingProfileParams, call: Call) -> ProfilingProfileResult:
    return profiles.profile(subnetwork_of(session, params), params, call, policy=params.policy)


def unit_costs(session: Session, params: ProfilingUnitCostsParams, call: Call) -> ProfilingUnitCostsResult:
    return costs.unit_costs(session.models.get(params.model), call)
