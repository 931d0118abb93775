"""What a subnetwork costs to store and to run, against the whole model on the same device."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from depthkit_worker.contract.wire import (
    ModelProfile,
    Policy,
    ProfiledMode,
    ProfileOptions,
    ProfilingProfileResult,
    Speed,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.peaks import counted_by, peak_beside
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.dtypes import dtype_name
from depthkit_worker.models.kv_cache import kv_bytes_per_token
from depthkit_worker.models.units import Unit
from depthkit_worker.policies.follow import Follower, follower_of, led_by
from depthkit_worker.profiling.spread import spread_of
from depthkit_worker.profiling.stored_size import stored_size
from depthkit_worker.profiling.workload import decode_seconds, prefill_seconds, prompt_of
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.physical import own_tensors, parameter_count, physical, update_modules
from depthkit_worker.subnetworks.subnetwork import Subnetwork

PHASE = "profiling"
PROMPT_TOKENS, CONTEXT_TOKENS = 512, 128
"""Where nobody says how many, and the model takes so many."""


@dataclass(frozen=True)
class Lengths:
    """What is timed, in tokens."""

    prompt: int
    context: int
    new: int


@dataclass(frozen=True)
class _Work:
    name: str
    batch_size: int
    tokens: int
    """Read or written by one run."""
    run: Callable[[], float]
    """Do it once; gives the seconds it took."""


def profile(
    subnetwork: Subnetwork, options: ProfileOptions, job: Job, *, policy: Policy | None = None
) -> ProfilingProfileResult:
    """Profile `subnetwork` under `policy`, and the whole model.

    Timings alternate (dense, pruned, dense, pruned, ...), so that a machine that slows down slows all of
    them; each is compared with the dense one of its own round.
    """
    started = time.monotonic()
    decoder = subnetwork.decoder
    lengths = lengths_of(decoder, options)
    _check(decoder, options, lengths)
    _check_policy(policy, options)
    follower = None if policy is None else follower_of(subnetwork, policy)
    modes: tuple[ProfiledMode, ...] = ("dense", *options.modes)
    works = _works(decoder, options, lengths, job)
    total = len(modes) * (1 + len(works) * (options.warmup_rounds + options.rounds))
    steps = _Steps(job, total)
    whole = list(decoder.model.modules())
    sizes = {}
    for mode in modes:
        with _as(mode, subnetwork, follower):
            gone = subnetwork.shortest_units if mode == "physical" else ()
            sizes[mode] = _size(decoder, works, _tensors(subnetwork, mode, whole), gone)
        steps.advance()
    seconds: dict[tuple[ProfiledMode, str], list[float]] = {
        (mode, work.name): [] for mode in modes for work in works
    }
    for index in range(options.warmup_rounds + options.rounds):
        for work, mode in itertools.product(works, modes):
            with _as(mode, subnetwork, follower):
                took = work.run()
            if index >= options.warmup_rounds:
                seconds[mode, work.name].append(took)
            steps.advance()
    prefill, *decode = works

    def speed(mode: ProfiledMode, work: _Work) -> Speed:
        dense, own = seconds["dense", work.name], seconds[mode, work.name]
        return Speed(
            batch_size=work.batch_size,
            tokens_per_second=spread_of([work.tokens / took for took in own]),
            against_dense=spread_of([reference / took for reference, took in zip(dense, own, strict=True)]),
        )

    return ProfilingProfileResult(
        models=tuple(
            ModelProfile(
                mode=mode,
                **sizes[mode],
                prefill=speed(mode, prefill),
                decode=tuple(speed(mode, work) for work in decode),
            )
            for mode in modes
        ),
        device=str(decoder.device),
        dtype=dtype_name(decoder.dtype),
        stored_dtype=decoder.source.stored_dtype,
        attention=decoder.attention_implementation,
        threads=torch.get_num_threads(),
        memory_counted_by=counted_by(decoder.devices),
        prompt_tokens=lengths.prompt,
        context_tokens=lengths.context,
        new_tokens=options.new_tokens,
        rounds=options.rounds,
        warmup_rounds=options.warmup_rounds,
        seed=options.seed,
        skips=None if follower is None else follower.skips(),
        seconds=time.monotonic() - started,
    )


def lengths_of(decoder: Decoder, options: ProfileOptions) -> Lengths:
    """As asked, or as many as the model takes."""
    room = decoder.context_length or PROMPT_TOKENS
    return Lengths(
        prompt=min(PROMPT_TOKENS, room) if options.prompt_tokens is None else options.prompt_tokens,
        context=min(CONTEXT_TOKENS, max(1, room // 2))
        if options.context_tokens is None
        else options.context_tokens,
        new=options.new_tokens,
    )


def _as(
    mode: ProfiledMode, subnetwork: Subnetwork, follower: Follower | None
) -> AbstractContextManager[None]:
    if mode == "dense":
        return nullcontext()
    if follower is not None:
        return led_by(follower, subnetwork)
    return removed(subnetwork) if mode == "masked" else physical(subnetwork)


@dataclass
class _Steps:
    job: Job
    total: int
    done: int = 0

    def advance(self) -> None:
        self.job.check()
        self.done += 1
        self.job.report(PHASE, self.done, self.total, "steps")


def _works(decoder: Decoder, options: ProfileOptions, lengths: Lengths, job: Job) -> list[_Work]:
    prompt = prompt_of(decoder, 1, lengths.prompt, options)
    prefill = _Work("prefill", 1, lengths.prompt, partial(prefill_seconds, decoder, prompt, job))
    decode = [
        _Work(
            f"decode {size}",
            size,
            size * lengths.new,
            partial(
                decode_seconds,
                decoder,
                prompt_of(decoder, size, lengths.context, options),
                lengths.new,
                job,
            ),
        )
        for size in options.batch_sizes
    ]
    return [prefill, *decode]


def _tensors(subnetwork: Subnetwork, mode: ProfiledMode, whole: Sequence[nn.Module]) -> list[Tensor]:
    """What the model holds under `mode`. Masked, the removed modules are held too; only nobody calls them."""
    model = subnetwork.decoder.model
    if mode == "dense":
        return own_tensors([model])
    there = set(model.modules())
    gone = [module for module in whole if mode == "masked" and module not in there]
    return own_tensors([model, *update_modules(subnetwork)], apart=gone)


def _size(
    decoder: Decoder, works: Sequence[_Work], tensors: Sequence[Tensor], gone: Sequence[Unit]
) -> dict[str, int]:
    """What is counted of a model, not timed: fields of its profile. `gone`: units that are no part of it."""
    parameters = parameter_count(tensors)
    with peak_beside(decoder.devices, tensors) as peak:
        for work in works:
            work.run()
    weight_bytes = sum(tensor.nbytes for tensor in tensors)
    return {
        "blocks": len(decoder.blocks),
        "parameters": parameters,
        "stored_bytes": stored_size(decoder, parameters, gone),
        "kv_bytes_per_token": kv_bytes_per_token(decoder),
        "weight_bytes": weight_bytes,
        "working_bytes": peak.bytes,
        "peak_bytes": weight_bytes + peak.bytes,
    }


def _check_policy(policy: Policy | None, options: ProfileOptions) -> None:
    if policy is not None and options.modes != ("masked",):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Profiling a policy in the modes {', '.join(options.modes)}: a policy skips what is there for "
            "other tokens, so that nothing can be taken out. Its only mode is masked.",
            modes=list(options.modes),
        )


def _check(decoder: Decoder, options: ProfileOptions, lengths: Lengths) -> None:
    room = decoder.context_length
    longest = max(lengths.prompt, lengths.context + lengths.new)
    if room is not None and longest > room:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Profiling on texts of {longest} tokens: the model takes {room}. Ask for fewer prompt tokens, "
            "or for fewer context and new tokens.",
            tokens=longest,
            contextLength=room,
        )
    if options.text is not None and options.seed > 0:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Profiling on a text with the seed {options.seed}, which is for prompts by lot: leave one out.",
            seed=options.seed,
        )
    if len(set(options.modes)) < len(options.modes):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Profiling the modes {', '.join(options.modes)}: name masked, physical or both, each once.",
            modes=list(options.modes),
        )
    if len(set(options.batch_sizes)) < len(options.batch_sizes):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Profiling with batch sizes {list(options.batch_sizes)}: name each once.",
            batchSizes=list(options.batch_sizes),
        )
