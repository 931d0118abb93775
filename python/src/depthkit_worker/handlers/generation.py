from __future__ import annotations

import time

from depthkit_worker.contract.wire import (
    Empty,
    Generation,
    GenerationAnswer,
    GenerationGenerateParams,
    GenerationGenerateResult,
    GenerationLoadTaskParams,
    GenerationSolveParams,
    GenerationSolveResult,
    GenerationTaskInfo,
    GenerationUnloadTaskParams,
)
from depthkit_worker.data.generation_tasks import GenerationTaskOptions, load_generation_task
from depthkit_worker.evaluation.generation import GenerateOptions
from depthkit_worker.evaluation.generation import generate as write_text
from depthkit_worker.evaluation.generation_tasks import Answer, SolveOptions
from depthkit_worker.evaluation.generation_tasks import solve as solve_task
from depthkit_worker.handlers.items import finished_items
from depthkit_worker.handlers.sources import subnetwork_of
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def generate(session: Session, params: GenerationGenerateParams, call: Call) -> GenerationGenerateResult:
    started = time.monotonic()
    subnetwork = subnetwork_of(session, params)
    options = GenerateOptions(
        max_new_tokens=params.max_new_tokens,
        temperature=params.temperature,
        top_p=params.top_p,
        seed=params.seed,
        stop=tuple(params.stop),
        chat=params.chat,
        cache=params.cache,
        batch_size=params.batch_size,
    )
    result = write_text(subnetwork, params.prompts, options, call)
    return GenerationGenerateResult(
        generations=[
            Generation(
                prompt=written.prompt,
                text=written.text,
                prompt_tokens=written.prompt_tokens,
                token_ids=list(written.token_ids),
                finish=written.finish,
            )
            for written in result.generations
        ],
        kv_bytes_per_token=result.kv_bytes_per_token,
        seconds=time.monotonic() - started,
    )


def load_task(session: Session, params: GenerationLoadTaskParams, call: Call) -> GenerationTaskInfo:
    session.models.get(params.model)
    options = GenerationTaskOptions(
        prompt=params.prompt,
        target=params.target,
        score=params.score,
        shots=params.shots,
        shot_files=tuple(params.shot_paths),
        answer_prefix=params.answer_prefix,
        separator=params.separator,
        items=params.items,
    )
    task = load_generation_task(params.paths, options, call)
    return GenerationTaskInfo(
        task=session.generation_tasks.add(task),
        digest=task.digest,
        files=list(task.files),
        items=len(task.items),
        score=params.score,
        shots=params.shots,
        separator=params.separator,
        first_prompt=task.items[0].prompt,
        first_target=task.items[0].target,
    )


def unload_task(session: Session, params: GenerationUnloadTaskParams, call: Call) -> Empty:
    session.generation_tasks.drop(params.task)
    return Empty()


def solve(session: Session, params: GenerationSolveParams, call: Call) -> GenerationSolveResult:
    started = time.monotonic()
    subnetwork = subnetwork_of(session, params)
    task = session.generation_tasks.get(params.task)
    options = SolveOptions(
        max_new_tokens=params.max_new_tokens,
        stop=None if params.stop is None else tuple(params.stop),
        batch_size=params.batch_size,
        chat=params.chat,
    )
    finished = finished_items(params.known, call)
    score = solve_task(subnetwork, task, options, call, finished=finished)
    by_number = task.options.score == "number"
    return GenerationSolveResult(
        accuracy=score.accuracy,
        standard_error=score.standard_error,
        correct=score.correct,
        items=len(score.answers),
        without_number=sum(by_number and answer.number is None for answer in score.answers),
        cut_short=sum(answer.generation.finish == "length" for answer in score.answers),
        tokens=score.tokens,
        task_digest=task.digest,
        score=task.options.score,
        max_new_tokens=params.max_new_tokens,
        stop=list(score.stop),
        batch_size=params.batch_size,
        answers=[_answer(answer) for answer in score.answers] if params.answers else None,
        seconds=time.monotonic() - started,
    )


def _answer(answer: Answer) -> GenerationAnswer:
    return GenerationAnswer(
        place=answer.item.place,
        text=answer.generation.text,
        target=answer.item.target,
        number=None if answer.number is None else format(answer.number, "f"),
        correct=answer.correct,
        tokens=len(answer.generation.token_ids),
        finish=answer.generation.finish,
    )
