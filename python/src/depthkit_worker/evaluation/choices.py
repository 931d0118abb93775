"""Multiple choice and last words: from a task to what a subnetwork gets right."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from depthkit_worker.contract.wire import Agreement, GroupScore, Rate, TaskKind
from depthkit_worker.data.tasks import Task
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.perplexity import LARGEST
from depthkit_worker.evaluation.rates import standard_error
from depthkit_worker.evaluation.scoring import finite
from depthkit_worker.evaluation.task_scores import Scores
from depthkit_worker.subnetworks.choice_measures import choice_loss, chosen

Array = NDArray[np.float64]


class Labelled(Protocol):
    """What is known of an item besides its scores."""

    @property
    def answer(self) -> int: ...
    @property
    def group(self) -> str | None: ...
    @property
    def characters(self) -> tuple[int, ...]: ...
    @property
    def bytes(self) -> tuple[int, ...]: ...


@dataclass(frozen=True)
class ChoiceResult:
    acc: Rate
    """By log-likelihood."""
    acc_norm_chars: Rate
    """By log-likelihood a character of the choice's text."""
    acc_norm_bytes: Rate
    """By log-likelihood a byte of the choice's text in UTF-8."""
    groups: tuple[GroupScore, ...]
    choice_loss: float
    """Mean of -log softmax(log-likelihoods)[answer], in nats."""
    probability_mass: float
    """Mean of the choices' probabilities, summed over an item's choices: little where the model would
    rather say something else."""
    ties: int
    """Items whose highest log-likelihood several choices have; the lowest index of them is taken."""
    chosen: tuple[int, ...]
    """Of each item, by log-likelihood."""


@dataclass(frozen=True)
class LastWordResult:
    acc: float
    """Share of items whose every target token is the likeliest, given the ones before it."""
    standard_error: float | None
    perplexity: float
    """exp of the mean negative log-likelihood of a target."""
    loss: float
    """Mean cross entropy of the target tokens, in nats."""
    tokens: int
    """Target tokens."""


def choice_result(items: Sequence[Labelled], scores: Sequence[Array]) -> ChoiceResult:
    """What `scores`, the log-likelihoods of each item's choices, come to."""
    for number, of_item in enumerate(scores):
        if np.isnan(of_item).any():
            finite(float("nan"), f"log-likelihood of a choice of item {number}")
    answers = np.array([item.answer for item in items])
    by = {
        "acc": np.array([chosen(of) for of in scores]),
        "chars": np.array([chosen(of / item.characters) for of, item in zip(scores, items, strict=True)]),
        "bytes": np.array([chosen(of / item.bytes) for of, item in zip(scores, items, strict=True)]),
    }
    right = {name: picks == answers for name, picks in by.items()}
    groups = _groups(items)
    losses = [choice_loss(of, item.answer) for of, item in zip(scores, items, strict=True)]
    return ChoiceResult(
        acc=_rate(right["acc"], groups),
        acc_norm_chars=_rate(right["chars"], groups),
        acc_norm_bytes=_rate(right["bytes"], groups),
        groups=tuple(
            GroupScore(
                name=name,
                items=len(of),
                acc=float(right["acc"][of].mean()),
                acc_norm_chars=float(right["chars"][of].mean()),
                acc_norm_bytes=float(right["bytes"][of].mean()),
            )
            for name, of in groups.items()
        ),
        choice_loss=finite(math.fsum(losses) / len(items), "choice loss"),
        probability_mass=finite(math.fsum(float(np.exp(of).sum()) for of in scores) / len(items), "probability mass"),
        ties=sum(int((of == of.max()).sum() > 1) for of in scores),
        chosen=tuple(by["acc"].tolist()),
    )


def agreement(items: Sequence[Labelled], here: ChoiceResult, dense: ChoiceResult) -> Agreement:
    answers = np.array([item.answer for item in items])
    mine, theirs = np.array(here.chosen), np.array(dense.chosen)
    right, dense_right = mine == answers, theirs == answers
    return Agreement(
        dense_acc=dense.acc.micro,
        agreement=float((mine == theirs).mean()),
        both_right=int((right & dense_right).sum()),
        only_dense_right=int((~right & dense_right).sum()),
        only_subnetwork_right=int((right & ~dense_right).sum()),
        both_wrong=int((~right & ~dense_right).sum()),
    )


def last_word_result(task: Task, scores: Scores) -> LastWordResult:
    right = np.array([of[0] for of in scores.greedy]) == 1
    total = math.fsum(float(of[0]) for of in scores.log_likelihoods)
    tokens = sum(item.scored[0] for item in task.items)
    mean = finite(-total / len(task.items), "loss of a target")
    rate = _rate(right, {})
    return LastWordResult(
        acc=rate.micro,
        standard_error=rate.standard_error,
        perplexity=finite(math.exp(mean) if mean < LARGEST else math.inf, "perplexity"),
        loss=finite(-total / tokens, "loss"),
        tokens=tokens,
    )


def require_kind(task: Task, kind: TaskKind) -> None:
    """Refuse a task that the call is not about."""
    if task.kind != kind:
        other = "lastWord" if task.kind == "last-word" else "choices"
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"A {task.kind} task ({task.info.format}) was given where a {kind} task is scored. Call {other}().",
            kind=task.kind,
            allowed=[kind],
        )


def _groups(items: Iterable[Labelled]) -> dict[str, NDArray[np.int64]]:
    """Places of the items of each group, in the order groups come up."""
    found: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        if item.group is not None:
            found.setdefault(item.group, []).append(place)
    return {name: np.array(places) for name, places in found.items()}


def _rate(right: NDArray[np.bool_], groups: dict[str, NDArray[np.int64]]) -> Rate:
    micro = float(right.mean())
    macro = math.fsum(float(right[of].mean()) for of in groups.values()) / len(groups) if groups else None
    return Rate(micro=micro, macro=macro, standard_error=standard_error(micro, len(right)))
