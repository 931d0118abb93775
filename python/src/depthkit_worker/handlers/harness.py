from __future__ import annotations

import time

from depthkit_worker.contract.wire import HarnessMetric, HarnessRunParams, HarnessRunResult, HarnessTask
from depthkit_worker.evaluation.harness import HarnessMetric as Measured
from depthkit_worker.evaluation.harness import HarnessOptions, run_harness
from depthkit_worker.handlers.sources import subnetwork_of
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def run(session: Session, params: HarnessRunParams, call: Call) -> HarnessRunResult:
    started = time.monotonic()
    subnetwork = subnetwork_of(session, params)
    options = HarnessOptions(
        tasks=tuple(params.tasks),
        limit=params.limit,
        shots=params.shots,
        batch_size=params.batch_size,
        include_path=params.include_path,
    )
    outcome = run_harness(subnetwork, options, call)
    return HarnessRunResult(
        tasks=[
            HarnessTask(
                task=task.task,
                version=task.version,
                shots=task.shots,
                items=task.items,
                config_digest=task.config_digest,
                metrics=[_metric(metric) for metric in task.metrics],
            )
            for task in outcome.tasks
        ],
        lm_eval_version=outcome.version,
        limit=params.limit,
        batch_size=params.batch_size,
        seconds=time.monotonic() - started,
    )


def _metric(metric: Measured) -> HarnessMetric:
    return HarnessMetric(
        name=metric.name,
        filter=metric.filter,
        value=metric.value,
        standard_error=metric.standard_error,
        higher_is_better=metric.higher_is_better,
    )
