from __future__ import annotations

from depthkit_worker.contract.wire import Empty, TaskLoadParams, TaskLoadResult, TaskUnloadParams
from depthkit_worker.data.tasks import load_task
from depthkit_worker.data.tokens import reading_tokeniser_of
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def load(session: Session, params: TaskLoadParams, call: Call) -> TaskLoadResult:
    task = load_task(reading_tokeniser_of(session.models.get(params.model)), params.data, params, call)
    return TaskLoadResult(task=session.tasks.add(task), info=task.info)


def unload(session: Session, params: TaskUnloadParams, call: Call) -> Empty:
    session.close_task(params.task)
    return Empty()
