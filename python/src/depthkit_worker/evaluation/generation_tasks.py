"""How many of a task's answers a subnetwork writes right."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from depthkit_worker.contract.wire import (
    GenerateOptions,
    Generation,
    GenerationAnswer,
    GenerationScoreRule,
    GenerationSolveResult,
    PassAt,
    Policy,
    RougeL,
    SolveOptions,
)
from depthkit_worker.data.generation_tasks import GenerationTask, Item
from depthkit_worker.data.numbers import number_in
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.finished_items import FinishedItems
from depthkit_worker.evaluation.generation import write_texts
from depthkit_worker.evaluation.rates import mean, standard_error_of_mean
from depthkit_worker.evaluation.rouge import Rouge, rouge_l
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.hands import Hands
from depthkit_worker.subnetworks.subnetwork import Subnetwork


def solve(
    subnetwork: Subnetwork,
    task: GenerationTask,
    options: SolveOptions,
    job: Job,
    *,
    policy: Policy | None = None,
    finished: FinishedItems | None = None,
    hands: Hands | None = None,
) -> GenerationSolveResult:
    """Let `subnetwork`, under `policy`, answer every item, greedily or in samples, and compare with the
    targets; `finished` and `hands` as in `write_texts`, sample after sample of an item."""
    started = time.monotonic()
    _check_samples(task, options)
    stop = (task.info.separator,) if options.stop is None else options.stop
    stop = tuple(text for text in stop if text)
    writing = GenerateOptions(
        max_new_tokens=options.max_new_tokens,
        stop=stop,
        batch_size=options.batch_size,
        chat=options.chat,
        temperature=options.temperature,
        top_p=options.top_p,
        seed=options.seed,
    )
    n = options.samples
    asked = [(item, place, sample) for place, item in enumerate(task.items) for sample in range(n)]
    result = write_texts(
        subnetwork,
        [item.prompt for item, _, _ in asked],
        writing,
        job,
        policy=policy,
        finished=finished,
        places=[f"the prompt of {item.place}" for item, _, _ in asked],
        streams=[(place, sample) for _, place, sample in asked],
        hands=hands,
    )
    score = task.info.score
    compare = _COMPARISONS[score]
    answers = tuple(
        compare(item, generation, sample)
        for (item, _, sample), generation in zip(asked, result.generations, strict=True)
    )
    right = [sum(answer.correct for answer in answers[at : at + n]) for at in range(0, len(answers), n)]
    return GenerationSolveResult(
        accuracy=sum(right) / len(answers),
        standard_error=standard_error_of_mean([of_item / n for of_item in right]),
        correct=sum(right),
        items=len(task.items),
        samples=n,
        pass_at=tuple(_pass_at(k, n, right) for k in options.pass_at),
        rouge_l=_rouge([item for item, _, _ in asked], result.generations, n) if score == "rouge-l" else None,
        without_number=sum(score == "number" and answer.number is None for answer in answers),
        cut_short=sum(answer.finish == "length" for answer in answers),
        tokens=sum(answer.tokens for answer in answers),
        bos_in_text=sum(generation.bos_in_text for generation in result.generations[::n]),
        first_tokens=result.generations[0].first_tokens,
        task_digest=task.info.digest,
        score=score,
        max_new_tokens=options.max_new_tokens,
        temperature=options.temperature,
        top_p=options.top_p,
        seed=options.seed,
        stop=stop,
        batch_size=options.batch_size,
        per_item=answers if options.items else None,
        skips=result.skips,
        seconds=time.monotonic() - started,
    )


def pass_at(k: int, n: int, right: int) -> float:
    """How likely one of `k` answers is right that are drawn from `n`, of which `right` are: without bias for
    what `k` new answers would give (Chen et al., 2021)."""
    sets = math.comb(n, k)
    return (sets - math.comb(n - right, k)) / sets


def _pass_at(k: int, n: int, right: Sequence[int]) -> PassAt:
    values = [pass_at(k, n, of_item) for of_item in right]
    return PassAt(k=k, value=mean(values), standard_error=standard_error_of_mean(values))


def _check_samples(task: GenerationTask, options: SolveOptions) -> None:
    if options.samples > 1 and options.temperature == 0:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"{options.samples} samples per item were asked for at temperature 0, where all of them are the "
            "same. Set a temperature above 0 (0.8 is usual), or leave samples out.",
            samples=options.samples,
            temperature=options.temperature,
        )
    beyond = [k for k in options.pass_at if k > options.samples]
    if beyond:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"pass@{beyond[0]} was asked for from {options.samples} samples per item; k is at most that "
            "number. Ask for more samples, or for a smaller k.",
            passAt=beyond[0],
            samples=options.samples,
        )
    if options.pass_at and task.info.score == "rouge-l":
        raise DepthkitError(
            "INVALID_ARGUMENT",
            "pass@k was asked for on a task that is scored by rouge-l, where an answer is neither right nor "
            "wrong. Score the task as exact or number, or leave passAt out.",
            passAt=list(options.pass_at),
            score=task.info.score,
        )


def _by_text(item: Item, generation: Generation, sample: int) -> GenerationAnswer:
    target = _same_text(item, generation)
    shown = item.targets[0] if target is None else target
    return _answer(item, generation, sample, target=shown, correct=target is not None)


def _same_text(item: Item, generation: Generation) -> str | None:
    text = generation.text.strip()
    return next((target for target in item.targets if target.strip() == text), None)


def _by_number(item: Item, generation: Generation, sample: int) -> GenerationAnswer:
    number = number_in(generation.text)
    found = next(
        (target for target, of in zip(item.targets, item.numbers, strict=True) if of == number), None
    )
    shown = item.targets[0] if found is None else found
    return _answer(item, generation, sample, target=shown, correct=found is not None, number=number)


def _by_rouge(item: Item, generation: Generation, sample: int) -> GenerationAnswer:
    score, target = _best(item, generation)
    correct = _same_text(item, generation) is not None
    return _answer(item, generation, sample, target=target, correct=correct, rouge_l=score.f_measure)


def _best(item: Item, generation: Generation) -> tuple[Rouge, str]:
    """ROUGE-L of the target that has the highest F-measure, the first of equal ones."""
    found = [(rouge_l(target, generation.text), target) for target in item.targets]
    return max(found, key=lambda one: one[0].f_measure)


def _rouge(items: Sequence[Item], generations: Sequence[Generation], n: int) -> RougeL:
    """The mean over items of the mean over each item's `n` answers."""
    found = [_best(item, generation)[0] for item, generation in zip(items, generations, strict=True)]
    of_items = [mean([one.f_measure for one in found[at : at + n]]) for at in range(0, len(found), n)]
    return RougeL(
        f_measure=mean(of_items),
        precision=mean([one.precision for one in found]),
        recall=mean([one.recall for one in found]),
        standard_error=standard_error_of_mean(of_items),
    )


def _answer(
    item: Item,
    generation: Generation,
    sample: int,
    *,
    target: str,
    correct: bool,
    number: Decimal | None = None,
    rouge_l: float | None = None,
) -> GenerationAnswer:
    return GenerationAnswer(
        place=item.place,
        text=generation.text,
        target=target,
        number=None if number is None else format(number, "f"),
        correct=correct,
        rouge_l=rouge_l,
        sample=sample,
        tokens=len(generation.token_ids),
        finish=generation.finish,
    )


_COMPARISONS: Mapping[GenerationScoreRule, Callable[[Item, Generation, int], GenerationAnswer]] = {
    "exact": _by_text,
    "number": _by_number,
    "rouge-l": _by_rouge,
}
