"""How many of a task's answers a subnetwork writes right."""

from __future__ import annotations

import time
from decimal import Decimal

from depthkit_worker.contract.wire import (
    GenerateOptions,
    Generation,
    GenerationAnswer,
    GenerationSolveResult,
    SolveOptions,
)
from depthkit_worker.data.generation_tasks import GenerationTask, Item
from depthkit_worker.data.numbers import number_in
from depthkit_worker.evaluation.finished_items import FinishedItems
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.rates import standard_error
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.subnetwork import Subnetwork


def solve(
    subnetwork: Subnetwork,
    task: GenerationTask,
    options: SolveOptions,
    job: Job,
    *,
    finished: FinishedItems | None = None,
) -> GenerationSolveResult:
    """Let `subnetwork` answer every item greedily, and compare with the targets; `finished` as
    in `generate`."""
    started = time.monotonic()
    stop = (task.info.separator,) if options.stop is None else options.stop
    stop = tuple(text for text in stop if text)
    writing = GenerateOptions(
        max_new_tokens=options.max_new_tokens, stop=stop, batch_size=options.batch_size, chat=options.chat
    )
    prompts = [item.prompt for item in task.items]
    places = [f"the prompt of {item.place}" for item in task.items]
    result = generate(subnetwork, prompts, writing, job, finished=finished, places=places)
    by_number = task.info.score == "number"
    compare = _by_number if by_number else _by_text
    answers = tuple(map(compare, task.items, result.generations))
    correct = sum(answer.correct for answer in answers)
    accuracy = correct / len(answers)
    return GenerationSolveResult(
        accuracy=accuracy,
        standard_error=standard_error(accuracy, len(answers)),
        correct=correct,
        items=len(answers),
        without_number=sum(by_number and answer.number is None for answer in answers),
        cut_short=sum(answer.finish == "length" for answer in answers),
        tokens=sum(answer.tokens for answer in answers),
        bos_in_text=sum(generation.bos_in_text for generation in result.generations),
        first_tokens=result.generations[0].first_tokens,
        task_digest=task.info.digest,
        score=task.info.score,
        max_new_tokens=options.max_new_tokens,
        stop=stop,
        batch_size=options.batch_size,
        per_item=answers if options.items else None,
        seconds=time.monotonic() - started,
    )


def _by_text(item: Item, generation: Generation) -> GenerationAnswer:
    return _answer(item, generation, None, generation.text.strip() == item.target.strip())


def _by_number(item: Item, generation: Generation) -> GenerationAnswer:
    number = number_in(generation.text)
    return _answer(item, generation, number, number is not None and number == item.number)


def _answer(item: Item, generation: Generation, number: Decimal | None, correct: bool) -> GenerationAnswer:
    return GenerationAnswer(
        place=item.place,
        text=generation.text,
        target=item.target,
        number=None if number is None else format(number, "f"),
        correct=correct,
        tokens=len(generation.token_ids),
        finish=generation.finish,
    )
