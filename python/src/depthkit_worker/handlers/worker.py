"""Calls about the worker itself. Imported before the handshake: nothing heavy here."""

from __future__ import annotations

import os
import time
from pathlib import Path

from depthkit_worker.contract.wire import (
    Empty,
    WorkerCheckTargetParams,
    WorkerPingParams,
    WorkerPingResult,
    WorkerSleepParams,
    WorkerSleepResult,
    WorkerStatusResult,
)
from depthkit_worker.memory.process import peak_resident_bytes, resident_bytes
from depthkit_worker.models.target import check_target
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session

_STARTED = time.monotonic()


def ping(session: Session, params: WorkerPingParams, call: Call) -> WorkerPingResult:
    return WorkerPingResult(
        value=params.value,
        integer=params.integer,
        text=params.text,
        tensors=tuple(call.attach_frame(call.frames[reference.tensor]) for reference in params.tensors),
    )


def sleep(session: Session, params: WorkerSleepParams, call: Call) -> WorkerSleepResult:
    end = time.monotonic() + params.seconds
    while (left := end - time.monotonic()) > 0:
        call.check()
        elapsed = params.seconds - left
        call.report("sleeping", int(elapsed * 1000), int(params.seconds * 1000), "ms")
        time.sleep(min(0.02, left))
    return WorkerSleepResult(seconds=params.seconds)


def status(session: Session, params: Empty, call: Call) -> WorkerStatusResult:
    return WorkerStatusResult(
        pid=os.getpid(),
        uptime_seconds=time.monotonic() - _STARTED,
        ready=session.ready,
        running=session.compute.running,
        reading=session.light.running,
        queued=session.compute.waiting + session.light.waiting,
        away=session.away.count,
        models=len(session.models),
        corpora=len(session.corpora),
        tasks=len(session.tasks) + len(session.generation_tasks),
        repairs=len(session.repairs),
        resident_bytes=resident_bytes(),
        peak_resident_bytes=peak_resident_bytes(),
    )


def target(session: Session, params: WorkerCheckTargetParams, call: Call) -> Empty:
    check_target(Path(params.target), params.kind, params.overwrite)
    return Empty()
