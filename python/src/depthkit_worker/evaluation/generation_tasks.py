"""How many of a task's answers a subnetwork writes right."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from depthkit_worker.data.generation_tasks import GenerationTask, Item
from depthkit_worker.data.numbers import number_in
from depthkit_worker.evaluation.finished_items import FinishedItems
from depthkit_worker.evaluation.generation import GenerateOptions, Generation, generate
from depthkit_worker.evaluation.rates import standard_error
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.subnetwork import Subnetwork


@dataclass(frozen=True)
class SolveOptions:
    max_new_tokens: int = 256
    stop: tuple[str, ...] | None = None
    """Strings that end an answer; None: what stands between the task's examples."""
    batch_size: int = 1
    chat: bool = False


@dataclass(frozen=True)
class Answer:
    item: Item
    generation: Generation
    number: Decimal | None
    """The number found in the text, where numbers are compared."""
    correct: bool


@dataclass(frozen=True)
class GenerationScore:
    answers: tuple[Answer, ...]
    stop: tuple[str, ...]

    @property
    def correct(self) -> int:
        return sum(answer.correct for answer in self.answers)

    @property
    def accuracy(self) -> float:
        return self.correct / len(self.answers)

    @property
    def standard_error(self) -> float | None:
        """Of the accuracy, over items."""
        return standard_error(self.accuracy, len(self.answers))

    @property
    def tokens(self) -> int:
        """Written in all, ending tokens included."""
        return sum(len(answer.generation.token_ids) for answer in self.answers)


def solve(
    subnetwork: Subnetwork,
    task: GenerationTask,
    options: SolveOptions,
    job: Job,
    *,
    finished: FinishedItems | None = None,
) -> GenerationScore:
    """Let `subnetwork` answer every item greedily, and compare with the targets; `finished` as
    in `generate`."""
    stop = (task.options.separator,) if options.stop is None else options.stop
    stop = tuple(text for text in stop if text)
    writing = GenerateOptions(options.max_new_tokens, stop=stop, batch_size=options.batch_size, chat=options.chat)
    prompts = [item.prompt for item in task.items]
    result = generate(subnetwork, prompts, writing, job, finished=finished)
    compare = _by_number if task.options.score == "number" else _by_text
    answers = map(compare, task.items, result.generations)
    return GenerationScore(tuple(answers), stop)


def _by_text(item: Item, generation: Generation) -> Answer:
    return Answer(item, generation, None, generation.text.strip() == item.target.strip())


def _by_number(item: Item, generation: Generation) -> Answer:
    number = number_in(generation.text)
    return Answer(item, generation, number, number is not None and number == item.number)
