"""Multiple choice and last words: from a task to what a subnetwork gets right."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from depthkit_worker.contract.wire import Agreement, ChoicesResult, GroupScore, LastWordResult, Rate, TaskKind
from depthkit_worker.data.tasks import Task
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.finite import exponential, finite
from depthkit_worker.evaluation.rates import standard_error
from depthkit_worker.evaluation.task_scores import Scores
from depthkit_worker.subnetworks.choice_measures import choice_loss, chosen


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
    @property
    def scored(self) -> tuple[int, ...]:
        """Tokens of each choice."""


def choice_result(
    items: Sequence[Labelled], scores: Scores, *, task_digest: str, dense: Scores | None = None
) -> ChoicesResult:
    """What the log-likelihoods of each item's choices come to, beside those of the dense model where they are
    given. Single items are left out."""
    found = scores.log_likelihoods
    _check_items(found)
    answers = np.array([item.answer for item in items])
    by_chars = normalised(scores, [item.characters for item in items])
    by_bytes = normalised(scores, [item.bytes for item in items])
    right, right_chars, right_bytes = chosen_of(scores) == answers, by_chars == answers, by_bytes == answers
    groups = _groups(items)
    losses = [choice_loss(of, item.answer) for of, item in zip(found, items, strict=True)]
    return ChoicesResult(
        acc=_rate(right, groups),
        acc_norm_chars=_rate(right_chars, groups),
        acc_norm_bytes=_rate(right_bytes, groups),
        groups=tuple(
            GroupScore(
                name=name,
                items=len(of),
                acc=float(right[of].mean()),
                acc_norm_chars=float(right_chars[of].mean()),
                acc_norm_bytes=float(right_bytes[of].mean()),
            )
            for name, of in groups.items()
        ),
        choice_loss=finite(math.fsum(losses) / len(items), "choice loss"),
        probability_mass=finite(
            math.fsum(float(np.exp(of).sum()) for of in found) / len(items), "probability mass"
        ),
        ties=sum(int((of == of.max()).sum() > 1) for of in found),
        items=len(items),
        task_digest=task_digest,
        comparison=None if dense is None else _agreement(items, answers, chosen_of(scores), dense),
        per_item=None,
        skips=scores.skips,
        batch_size=scores.batch_size,
        notes=scores.notes,
        seconds=scores.seconds,
    )


def _check_items(found: Sequence[NDArray[np.float64]]) -> None:
    """Refuse log-likelihoods that no choice can be told from: NaN has a highest index all the same."""
    broken = [number for number, of_item in enumerate(found) if np.isnan(of_item).any()]
    if broken:
        finite(
            math.nan,
            f"log-likelihood of item {broken[0]}, and of {len(broken)} of {len(found)} items in all,",
        )


def chosen_of(scores: Scores) -> NDArray[np.int64]:
    """The choice of each item by log-likelihood: the lowest index of those that are highest."""
    return np.array([chosen(of) for of in scores.log_likelihoods])


def normalised(scores: Scores, lengths: Sequence[tuple[int, ...]]) -> NDArray[np.int64]:
    """The choice of each item by log-likelihood over length."""
    return np.array([chosen(of / by) for of, by in zip(scores.log_likelihoods, lengths, strict=True)])


def _agreement(
    items: Sequence[Labelled], answers: NDArray[np.int64], mine: NDArray[np.int64], dense: Scores
) -> Agreement:
    """Flips hide behind an unchanged accuracy."""
    of_dense = chosen_of(dense)
    right, dense_right = mine == answers, of_dense == answers
    return Agreement(
        dense_acc=float(dense_right.mean()),
        agreement=float((mine == of_dense).mean()),
        stability=_stability(items, dense, right == dense_right),
        retained=float(100 * right.mean() / dense_right.mean()) if dense_right.any() else None,
        both_right=int((right & dense_right).sum()),
        only_dense_right=int((~right & dense_right).sum()),
        only_subnetwork_right=int((right & ~dense_right).sum()),
        both_wrong=int((~right & ~dense_right).sum()),
    )


def _stability(items: Sequence[Labelled], dense: Scores, alike: NDArray[np.bool_]) -> float | None:
    """LLM-Streamline, arXiv 2403.19135: the share of items that are `alike`, each weighing exp of the
    standard deviation of its choices' perplexities under the dense model."""
    with np.errstate(over="ignore", invalid="ignore"):
        spreads = np.array(
            [
                np.exp(-of / np.array(item.scored)).std()
                for of, item in zip(dense.log_likelihoods, items, strict=True)
            ]
        )
    if not np.isfinite(spreads).all():
        return None
    # By the largest, which leaves the share as it is: exp of a spread soon has no number.
    weights = np.exp(spreads - spreads.max())
    return float(weights[alike].sum() / weights.sum())


def last_word_result(task: Task, scores: Scores) -> LastWordResult:
    """Single items are left out."""
    _check_items(scores.log_likelihoods)
    right = np.array([of[0] for of in scores.greedy]) == 1
    total = math.fsum(float(of[0]) for of in scores.log_likelihoods)
    tokens = sum(item.scored[0] for item in task.items)
    mean = finite(-total / len(task.items), "loss of a target")
    rate = _rate(right, {})
    return LastWordResult(
        acc=rate.micro,
        standard_error=rate.standard_error,
        perplexity=exponential(mean),
        loss=finite(-total / tokens, "loss"),
        tokens=tokens,
        items=len(task.items),
        task_digest=task.info.digest,
        per_item=None,
        skips=scores.skips,
        batch_size=scores.batch_size,
        notes=scores.notes,
        seconds=scores.seconds,
    )


def require_kind(task: Task, kind: TaskKind) -> None:
    """Refuse a task that the call is not about."""
    if task.kind != kind:
        other = "lastWord" if task.kind == "last-word" else "choices"
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"A {task.kind} task ({task.info.format}) was given where a {kind} task is scored. Call "
            f"{other}().",
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
