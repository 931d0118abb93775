"""Measures of a subnetwork under a policy, teacher-forced on a corpus."""

from __future__ import annotations

import time
from typing import cast

import numpy as np
import torch
from torch import LongTensor, Tensor

from depthkit_worker.contract.wire import (
    Measure,
    PoliciesMeasureResult,
    Policy,
    PolicyMeasureOptions,
)
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder, edited_module
from depthkit_worker.models.logits import Reader
from depthkit_worker.policies.follow import follower_of, led_by, require_teacher_forced
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.head import Head
from depthkit_worker.subnetworks.positions import ALL_POSITIONS, COMPARING, MEASURES, scored_rows
from depthkit_worker.subnetworks.scoring import READABLE, Scorer
from depthkit_worker.subnetworks.subnetwork import Subnetwork

PHASE = "measuring"


@torch.inference_mode()
def measure(
    subnetwork: Subnetwork, policy: Policy, corpus: Corpus, options: PolicyMeasureOptions, job: Job
) -> PoliciesMeasureResult:
    """Each measure over all positions where it is defined, as the engine has it for a mask."""
    started = time.monotonic()
    require_teacher_forced(policy, "Measuring a corpus")
    _check(options.measures)
    decoder = subnetwork.decoder
    head = Head(decoder)
    compares = any(one in COMPARING for one in options.measures)
    reader = Reader("Measuring a corpus under a policy", decoder.dtype, "sequence")
    sums = np.zeros(len(options.measures))
    counts = np.zeros(len(options.measures), dtype=np.int64)
    follower = follower_of(subnetwork, policy)
    for first in range(0, corpus.sequences, options.batch_size):
        sequences = range(first, min(first + options.batch_size, corpus.sequences))
        batch = corpus.batch_of(sequences)
        counted = torch.arange(batch.input_ids.shape[1]) < batch.lengths[:, None]
        dense = _final(decoder, batch.input_ids, counted, job) if compares else None
        with led_by(follower, subnetwork):
            state = _final(decoder, batch.input_ids, counted, job)
            own_head = edited_module(decoder, decoder.depth).get_parameter("weight")
        scored = scored_rows(batch, ALL_POSITIONS, options.measures, first)
        scorer = Scorer(head, scored, dense, job.check)
        (values,) = scorer.score([scorer.read(state)], [own_head])
        reader.check_rows(values[READABLE], *scored.places)
        sums += scored.sums(values)
        counts += scored.counts
        job.report(PHASE, sequences.stop, corpus.sequences, "sequences")
    return PoliciesMeasureResult(
        values=tuple((sums / counts).tolist()),
        counts=tuple(counts.tolist()),
        skips=follower.skips(),
        seconds=time.monotonic() - started,
    )


def _check(measures: tuple[Measure, ...]) -> None:
    if len(set(measures)) < len(measures) or not set(measures) <= set(MEASURES):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Measuring a corpus under a policy: {', '.join(measures)} was asked for. Name some of "
            f"{', '.join(MEASURES)}, each once; choices() has the accuracy of a task.",
            measures=list(measures),
            allowed=list(MEASURES),
        )


def _final(decoder: Decoder, input_ids: Tensor, counted: Tensor, job: Job) -> Tensor:
    """The stream behind the last block."""
    replay = decoder.begin(cast("LongTensor", input_ids.to(decoder.device)), counted=counted)
    return decoder.stream(replay, decoder.depth, job.check)
