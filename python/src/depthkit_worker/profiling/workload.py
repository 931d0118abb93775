"""The work that is timed: reading a prompt, and writing token after token with a KV cache."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import LongTensor

from depthkit_worker.contract.wire import ProfileOptions
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.cancellable import cancellable
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stepper import PaddedBatch, Stepper, pad_left
from depthkit_worker.session.job import Job


def prompt_of(decoder: Decoder, batch: int, tokens: int, options: ProfileOptions) -> PaddedBatch:
    """The text's first tokens, the same in every row; without one ids drawn from the whole vocabulary: what
    a token is has no part in what it costs, but for the experts a mixture's router sends it to, and for what
    a policy skips."""
    if options.text is not None:
        ids = tokeniser_of(decoder).prompt(options.text, "The text of a profile").ids
        if len(ids) < tokens:
            raise DepthkitError(
                "NOT_ENOUGH_TEXT",
                f"Profiling on a text of {len(ids):,} tokens: {tokens:,} are read. Give a longer one, or ask "
                "for fewer prompt and context tokens.",
                have=len(ids),
                need=tokens,
                unit="tokens",
            )
        return pad_left([ids[:tokens]] * batch)
    generator = torch.Generator().manual_seed(options.seed)
    input_ids = torch.randint(decoder.vocabulary_size, (batch, tokens), generator=generator)
    assert isinstance(input_ids, LongTensor)
    return PaddedBatch(input_ids, torch.ones_like(input_ids))


def prefill_seconds(decoder: Decoder, prompt: PaddedBatch, job: Job) -> float:
    """Time to read `prompt`, whose keys and values are kept, and to know what comes next."""
    stepper = Stepper(decoder)
    with cancellable(decoder, job):
        return timed(decoder.device, lambda: stepper.begin(prompt))


def decode_seconds(decoder: Decoder, prompt: PaddedBatch, new_tokens: int, job: Job) -> float:
    """Time to write `new_tokens` more behind `prompt`, the reading of it not counted."""
    stepper = Stepper(decoder)
    with cancellable(decoder, job):
        logits = stepper.begin(prompt)

    def write() -> None:
        nonlocal logits
        for _ in range(new_tokens):
            job.check()
            logits = stepper.step(logits.argmax(-1))

    return timed(decoder.device, write)


def timed(device: torch.device, work: Callable[[], object]) -> float:
    """Seconds that `work` takes on `device`, from idle to idle."""
    synchronize(device)
    started = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - started


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was told: it runs behind the program."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
