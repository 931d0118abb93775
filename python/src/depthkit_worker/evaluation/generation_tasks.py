"""How many of a task's answers a subnetwork writes right."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from depthkit_worker.contract.wire import (
    GenerateOptions,
    Generation,
    GenerationAnswer,
    GenerationScoreRule,
    GenerationSolveResult,
    RougeL,
    SolveOptions,
)
from depthkit_worker.data.generation_tasks import GenerationTask, Item
from depthkit_worker.data.numbers import number_in
from depthkit_worker.evaluation.finished_items import FinishedItems
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.rates import mean, standard_error, standard_error_of_mean
from depthkit_worker.evaluation.rouge import Rouge, rouge_l
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
    score = task.info.score
    compare = _COMPARISONS[score]
    answers = tuple(map(compare, task.items, result.generations))
    correct = sum(answer.correct for answer in answers)
    accuracy = correct / len(answers)
    return GenerationSolveResult(
        accuracy=accuracy,
        standard_error=standard_error(accuracy, len(answers)),
        correct=correct,
        items=len(answers),
        rouge_l=_rouge(task.items, result.generations) if score == "rouge-l" else None,
        without_number=sum(score == "number" and answer.number is None for answer in answers),
        cut_short=sum(answer.finish == "length" for answer in answers),
        tokens=sum(answer.tokens for answer in answers),
        bos_in_text=sum(generation.bos_in_text for generation in result.generations),
        first_tokens=result.generations[0].first_tokens,
        task_digest=task.info.digest,
        score=score,
        max_new_tokens=options.max_new_tokens,
        stop=stop,
        batch_size=options.batch_size,
        per_item=answers if options.items else None,
        seconds=time.monotonic() - started,
    )


def _by_text(item: Item, generation: Generation) -> GenerationAnswer:
    target = _same_text(item, generation)
    return _answer(item, generation, item.targets[0] if target is None else target, target is not None)


def _same_text(item: Item, generation: Generation) -> str | None:
    text = generation.text.strip()
    return next((target for target in item.targets if target.strip() == text), None)


def _by_number(item: Item, generation: Generation) -> GenerationAnswer:
    number = number_in(generation.text)
    found = next(
        (target for target, of in zip(item.targets, item.numbers, strict=True) if of == number), None
    )
    target = item.targets[0] if found is None else found
    answer = _answer(item, generation, target, found is not None)
    return answer if number is None else replace(answer, number=format(number, "f"))


def _by_rouge(item: Item, generation: Generation) -> GenerationAnswer:
    score, target = _best(item, generation)
    answer = _answer(item, generation, target, _same_text(item, generation) is not None)
    return replace(answer, rouge_l=score.f_measure)


def _best(item: Item, generation: Generation) -> tuple[Rouge, str]:
    """ROUGE-L of the target that has the highest F-measure, the first of equal ones."""
    found = [(rouge_l(target, generation.text), target) for target in item.targets]
    return max(found, key=lambda one: one[0].f_measure)


def _rouge(items: Sequence[Item], generations: Sequence[Generation]) -> RougeL:
    found = [_best(item, generation)[0] for item, generation in zip(items, generations, strict=True)]
    return RougeL(
        f_measure=mean([one.f_measure for one in found]),
        precision=mean([one.precision for one in found]),
        recall=mean([one.recall for one in found]),
        standard_error=standard_error_of_mean([one.f_measure for one in found]),
    )


def _answer(item: Item, generation: Generation, target: str, correct: bool) -> GenerationAnswer:
    return GenerationAnswer(
        place=item.place,
        text=generation.text,
        target=target,
        number=None,
        correct=correct,
        rouge_l=None,
        tokens=len(generation.token_ids),
        finish=generation.finish,
    )


_COMPARISONS: Mapping[GenerationScoreRule, Callable[[Item, Generation], GenerationAnswer]] = {
    "exact": _by_text,
    "number": _by_number,
    "rouge-l": _by_rouge,
}
