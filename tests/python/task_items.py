"""Tasks of random tokens for tiny models, and what a plain forward makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from depthkit_worker.contract.wire import ChoicesResult, TaskInfo, TaskKind
from depthkit_worker.data.tasks import Item, Task
from depthkit_worker.evaluation.choices import Labelled, choice_result
from depthkit_worker.evaluation.task_scores import Scores
from tiny import VOCABULARY


def random_task(
    items: int = 7, choices: int = 4, kind: TaskKind = "choices", seed: int = 0, *, shots: int = 0
) -> Task:
    """Prompts of different lengths, behind `shots` tokens that those of one group have in common. Choices of
    one token, of several, of one and of several, with scored tokens in the trunk, and two that are read
    alike."""
    rng = np.random.default_rng(seed)

    def ids(count: int) -> NDArray[np.int32]:
        return rng.integers(3, VOCABULARY, count).astype(np.int32)

    examples = [ids(shots), ids(shots)]
    made = []
    for number in range(items):
        trunk = np.concatenate([examples[number % 2], ids(3 + 2 * number)])
        lengths = [1] * choices if number % 3 == 0 else rng.integers(1, 5, choices).tolist()
        tails = [ids(length) for length in lengths]
        if number % 3 == 1 and choices > 1:
            tails[1] = np.concatenate([tails[0][:-1], ids(1)])
        scored = tuple(len(tail) + (number == 2) for tail in tails)
        made.append(
            Item(
                trunk=trunk,
                tails=tuple(tails),
                scored=scored,
                answer=number % choices,
                group="even" if number % 2 == 0 else "odd",
                characters=(3,) * choices,
                bytes=(3,) * choices,
                shots_dropped=0,
                tokens_cut=0,
            )
        )
    return Task(tuple(made), task_info(kind, items), "0" * 64)


def task_info(kind: TaskKind, items: int) -> TaskInfo:
    return TaskInfo(
        kind=kind,
        format="made",
        digest="0" * 64,
        files=(),
        file_digests=(),
        items=items,
        rows=items,
        groups=(),
        shots=0,
        limit=None,
        chat_template=False,
        bos="auto",
        bos_added=False,
        bos_in_text=0,
        first_tokens=(),
        tokens=1,
        longest=1,
        single_token=0,
        items_with_shots_dropped=0,
        shots_dropped=0,
        items_cut=0,
        tokens_cut=0,
    )


def scores_of(
    log_likelihoods: Sequence[NDArray[np.float64]], greedy: Sequence[NDArray[np.float64]] = ()
) -> Scores:
    return Scores(tuple(log_likelihoods), tuple(greedy), 1, None, (), 0.0)


def result_of(
    items: Sequence[Labelled],
    log_likelihoods: Sequence[NDArray[np.float64]],
    dense: Sequence[NDArray[np.float64]] | None = None,
) -> ChoicesResult:
    """What these log-likelihoods come to."""
    compared = None if dense is None else scores_of(dense)
    return choice_result(items, scores_of(log_likelihoods), task_digest="0" * 64, dense=compared)


@torch.inference_mode()
def by_forward(model: PreTrainedModel, item: Item) -> list[tuple[float, bool]]:
    """Log-likelihood of each choice, one plain forward each in fp64 from the logits on, and whether every
    token of it is the likeliest."""
    found = []
    for choice, scored in enumerate(item.scored):
        ids = torch.from_numpy(item.sequence(choice).astype(np.int64))[None]
        logits = model(input_ids=ids[:, :-1], use_cache=False).logits[0, -scored:].double().log_softmax(-1)
        targets = ids[0, -scored:]
        total = float(logits.gather(1, targets[:, None]).sum())
        found.append((total, bool((logits.argmax(-1) == targets).all())))
    return found
