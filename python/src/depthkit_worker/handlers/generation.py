from __future__ import annotations

from depthkit_worker.contract.wire import (
    Empty,
    GenerationGenerateParams,
    GenerationGenerateResult,
    GenerationLoadTaskParams,
    GenerationLoadTaskResult,
    GenerationPart,
    GenerationSolveParams,
    GenerationSolveResult,
    GenerationUnloadTaskParams,
)
from depthkit_worker.data.generation_tasks import load_generation_task
from depthkit_worker.evaluation import generation, generation_tasks
from depthkit_worker.handlers.items import finished_items
from depthkit_worker.handlers.sources import hands_of, subnetwork_of
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def generate(session: Session, params: GenerationGenerateParams, call: Call) -> GenerationGenerateResult:
    def tell(prompt: int, at: int, text: str) -> None:
        call.part(GenerationPart(prompt=prompt, at=at, text=text))

    told = tell if params.stream else None
    subnetwork = subnetwork_of(session, params)
    return generation.generate(
        subnetwork,
        params.prompts,
        params,
        call,
        policy=params.policy,
        tell=told,
        # One text is this device's.
        hands=None if len(params.prompts) == 1 else hands_of(session, subnetwork),
    )


def load_task(session: Session, params: GenerationLoadTaskParams, call: Call) -> GenerationLoadTaskResult:
    session.models.get(params.model)
    task = load_generation_task(params.data, params, call)
    return GenerationLoadTaskResult(task=session.generation_tasks.add(task), info=task.info)


def unload_task(session: Session, params: GenerationUnloadTaskParams, call: Call) -> Empty:
    session.generation_tasks.drop(params.task)
    return Empty()


def solve(session: Session, params: GenerationSolveParams, call: Call) -> GenerationSolveResult:
    task = session.generation_tasks.get(params.task)
    finished = finished_items(params.known, call)
    subnetwork = subnetwork_of(session, params)
    return generation_tasks.solve(
        subnetwork,
        task,
        params,
        call,
        policy=params.policy,
        finished=finished,
        hands=hands_of(session, subnetwork),
    )
