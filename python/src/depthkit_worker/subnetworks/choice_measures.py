"""From log-likelihoods of choices to right and wrong."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def chosen(scores: Array) -> int:
    """The choice with the highest score, the lowest of equal ones; -1 where a score is NaN."""
    return -1 if np.isnan(scores).any() else int(scores.argmax())


def accuracy_sum(items: Sequence[Array], answers: Sequence[int]) -> float:
    """How many items are answered rightly; NaN where one cannot be told."""
    picks = [chosen(scores) for scores in items]
    if -1 in picks:
        return float("nan")
    return float(sum(pick == answer for pick, answer in zip(picks, answers, strict=True)))


def choice_loss(scores: Array, answer: int) -> float:
    """-log softmax(scores)[answer]: the loss of a reader who only has the choices."""
    highest = scores.max()
    return float(np.log(np.exp(scores - highest).sum()) + highest - scores[answer])
