"""What a prompt is like before any block that a mask may remove: what a router goes by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import LongTensor, Tensor

from depthkit_worker.contract.wire import PromptOptions
from depthkit_worker.data.corpus import PAD, Corpus
from depthkit_worker.data.tasks import Item, Task
from depthkit_worker.data.tokens import Ids
from depthkit_worker.errors import DepthkitError
from depthkit_worker.influence.per_token import direction
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.devices import in_fp64
from depthkit_worker.session.job import Job


def prompts_of(data: Corpus | Task) -> list[Ids]:
    """What is known of every sequence, or item, before anything of it is scored."""
    if isinstance(data, Corpus):
        return [data.row(number) for number in range(data.sequences)]
    return [_prompt(item, number) for number, item in enumerate(data.items)]


@torch.no_grad()
def prompt_features(
    decoder: Decoder, prompts: Sequence[Ids], options: PromptOptions, batch_size: int, job: Job
) -> Tensor:
    """The mean of the stream in front of block `options.boundary` over the first `options.tokens` tokens of
    each of `prompts`, each token's at length 1, so that the one on which activations are massive counts no
    more than others: fp64 (prompts, hidden), on CPU."""
    boundary = options.boundary
    if boundary > decoder.depth:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Reading prompts in front of block {boundary}: the model has {decoder.depth} blocks, so the "
            f"boundary is at most {decoder.depth}, behind the last one.",
            boundary=boundary,
            depth=decoder.depth,
        )
    rows = [prompt[: options.tokens] for prompt in prompts]
    found = []
    for first in range(0, len(rows), batch_size):
        batch = rows[first : first + batch_size]
        ids = np.full((len(batch), max(map(len, batch))), PAD, dtype=np.int64)
        for place, row in enumerate(batch):
            ids[place, : len(row)] = row
        replay = decoder.begin(cast("LongTensor", torch.from_numpy(ids).to(decoder.device)))
        hidden = decoder.stream(replay, boundary, job.check)
        found += [_mean_direction(hidden[place, : len(row)]) for place, row in enumerate(batch)]
        job.report("prompts", len(found), len(rows), "prompts")
    features = torch.stack(found)
    broken = ~features.isfinite().all(dim=1)
    if bool(broken.any()):
        raise DepthkitError(
            "NOT_MEASURABLE",
            f"Reading prompts: the stream in front of block {boundary} is not finite on prompt "
            f"{int(broken.nonzero()[0]) + 1}. Look for NaN or infinity in the weights, or load the model in "
            "a wider dtype.",
            boundary=boundary,
        )
    return features


def _mean_direction(states: Tensor) -> Tensor:
    wide = in_fp64(states)
    return direction(wide, torch.linalg.vector_norm(wide, 2, dim=-1)).mean(0).cpu()


def _prompt(item: Item, number: int) -> Ids:
    # Of a choice's own tokens some may stand in what the choices share.
    scored = max(own - len(tail) for own, tail in zip(item.scored, item.tails, strict=True))
    prompt = item.trunk[: len(item.trunk) - max(0, scored)]
    if len(prompt) == 0:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Reading prompts: the choices of item {number + 1} share no token in front of them, so there is "
            "no prompt to choose a route by. Route tasks whose choices stand behind one and the same "
            "question.",
            item=number,
        )
    return prompt
