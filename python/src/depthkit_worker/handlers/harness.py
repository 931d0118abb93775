from __future__ import annotations

from depthkit_worker.contract.wire import HarnessRunParams, HarnessRunResult
from depthkit_worker.evaluation.harness import run_harness
from depthkit_worker.handlers.sources import subnetwork_of
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def run(session: Session, params: HarnessRunParams, call: Call) -> HarnessRunResult:
    return run_harness(subnetwork_of(session, params), params, call)
