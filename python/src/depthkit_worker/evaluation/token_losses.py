"""Cross entropy of the tokens of a text, block by block, by the engine's own pass of the head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import LongTensor, Tensor

from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.logits import Reader
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.head import Head
from depthkit_worker.subnetworks.positions import Scored
from depthkit_worker.subnetworks.scoring import READABLE, Scorer


@torch.no_grad()
def token_losses(
    decoder: Decoder,
    head: Head,
    input_ids: Tensor,
    scored: Tensor,
    items: Sequence[int],
    job: Job,
    counted: Tensor | None = None,
) -> Tensor:
    """Cross entropy in nats of those tokens of `input_ids` (batch, sequence) that are `scored`, each given
    the ones before it: fp64 (batch, sequence) on CPU, 0 elsewhere. A row's first token is never scored.
    `items`: which of all the rows these are, for messages; `counted`, bool: what is no padding, None: all."""
    replay = decoder.begin(cast("LongTensor", input_ids.to(decoder.device)), counted=counted)
    hidden = decoder.stream(replay, decoder.depth, job.check)
    losses = torch.zeros(input_ids.shape, dtype=torch.float64)
    tokens = scored.flatten().nonzero()[:, 0]
    # Only what is scored goes through the head: with a small stride most tokens are not.
    every = torch.ones(len(tokens), dtype=torch.bool)
    read = Scored(
        tokens - 1, input_ids.flatten()[tokens], {"loss": every}, input_ids.shape[1], np.asarray(items)
    )
    scorer = Scorer(head, read, None, job.check)
    (values,) = scorer.score([scorer.read(hidden)])
    Reader("Measuring perplexity", decoder.dtype, "chunk").check_rows(values[READABLE], *read.places)
    losses.view(-1)[tokens] = values["loss"]
    return losses
