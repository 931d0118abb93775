"""What a subnetwork costs to store and to run, against the whole model on the same device."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.peaks import Counted, counted_by, peak_beside
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.kv_cache import kv_bytes_per_token
from depthkit_worker.profiling.spread import Spread, spread_of
from depthkit_worker.profiling.workload import decode_seconds, prefill_seconds, prompt_of
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.physical import own_tensors, physical, update_modules
from depthkit_worker.subnetworks.subnetwork import Subnetwork

Mode = Literal["dense", "masked", "physical"]
PHASE = "profiling"


@dataclass(frozen=True)
class ProfileOptions:
    modes: tuple[Mode, ...] = ("masked", "physical")
    """What is compared with the dense model. `masked`: the live model with units gated, all weights held.
    `physical`: without the modules of the removed units."""
    prompt_tokens: int = 512
    """Tokens of the prompt whose reading is timed, one prompt at a time."""
    context_tokens: int = 128
    """Tokens that stand before the first one written."""
    new_tokens: int = 32
    batch_sizes: tuple[int, ...] = (1, 8)
    """Texts written at a time."""
    rounds: int = 5
    """Each round times every model once, the dense one first."""
    warmup_rounds: int = 1
    """Rounds before these, which are not counted."""
    seed: int = 0


@dataclass(frozen=True)
class Speed:
    batch_size: int
    tokens_per_second: Spread
    """Over all texts of the batch."""
    against_dense: Spread
    """The same divided by the dense model's in the same round."""


@dataclass(frozen=True)
class Size:
    """What is counted of a model, not timed."""

    blocks: int
    parameters: int
    """Tied ones once."""
    stored_bytes: int
    """Parameters in the dtype the checkpoint is stored in: the weight files without their headers."""
    kv_bytes_per_token: int
    """Counted on a cache that was filled."""
    weight_bytes: int
    """Parameters and buffers in the loaded dtype."""
    working_bytes: int
    """The most held beside the weights, KV cache included, over all that is timed."""


@dataclass(frozen=True)
class ModelProfile:
    mode: Mode
    size: Size
    prefill: Speed
    decode: tuple[Speed, ...]


@dataclass(frozen=True)
class Profile:
    models: tuple[ModelProfile, ...]
    """The dense model, then one for each mode asked for."""
    memory_counted_by: Counted
    threads: int


@dataclass(frozen=True)
class _Work:
    name: str
    batch_size: int
    tokens: int
    """Read or written by one run."""
    run: Callable[[], float]
    """Do it once; gives the seconds it took."""


def profile(
    subnetwork: Subnetwork,
    options: ProfileOptions,
    job: Job,
) -> Profile:
    """Profile `subnetwork` and the whole model.

    Timings alternate (dense, pruned, dense, pruned, ...), so that a machine that slows down slows all of
    them; each is compared with the dense one of its own round.
    """
    decoder = subnetwork.decoder
    _check(decoder, options)
    modes: tuple[Mode, ...] = ("dense", *options.modes)
    works = _works(decoder, options, job)
    total = len(modes) * (1 + len(works) * (options.warmup_rounds + options.rounds))
    steps = _Steps(job, total)
    whole = list(decoder.model.modules())
    sizes = {}
    for mode in modes:
        with _as(mode, subnetwork):
            sizes[mode] = _size(decoder, works, _tensors(subnetwork, mode, whole))
        steps.advance()
    seconds: dict[tuple[Mode, str], list[float]] = {(mode, work.name): [] for mode in modes for work in works}
    for index in range(options.warmup_rounds + options.rounds):
        for work, mode in itertools.product(works, modes):
            with _as(mode, subnetwork):
                took = work.run()
            if index >= options.warmup_rounds:
                seconds[mode, work.name].append(took)
            steps.advance()
    prefill, *decode = works

    def speed(mode: Mode, work: _Work) -> Speed:
        dense, own = seconds["dense", work.name], seconds[mode, work.name]
        return Speed(
            work.batch_size,
            spread_of([work.tokens / took for took in own]),
            spread_of([reference / took for reference, took in zip(dense, own, strict=True)]),
        )

    models = tuple(
        ModelProfile(mode, sizes[mode], speed(mode, prefill), tuple(speed(mode, work) for work in decode))
        for mode in modes
    )
    return Profile(models, counted_by(decoder.device), torch.get_num_threads())


def _as(mode: Mode, subnetwork: Subnetwork) -> AbstractContextManager[None]:
    if mode == "dense":
        return nullcontext()
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


def _works(decoder: Decoder, options: ProfileOptions, job: Job) -> list[_Work]:
    prompt = prompt_of(decoder, 1, options.prompt_tokens, options.seed)
    prefill = _Work("prefill", 1, options.prompt_tokens, partial(prefill_seconds, decoder, prompt, job))
    decode = [
        _Work(
            f"decode {size}",
            size,
            size * options.new_tokens,
            partial(
                decode_seconds,
                decoder,
                prompt_of(decoder, size, options.context_tokens, options.seed),
                options.new_tokens,
                job,
            ),
        )
        for size in options.batch_sizes
    ]
    return [prefill, *decode]


def _tensors(subnetwork: Subnetwork, mode: Mode, whole: Sequence[nn.Module]) -> list[Tensor]:
    """What the model holds under `mode`. Masked, the removed modules are held too; only nobody calls them."""
    model = subnetwork.decoder.model
    if mode == "dense":
        return own_tensors([model])
    there = set(model.modules())
    gone = [module for module in whole if mode == "masked" and module not in there]
    return own_tensors([model, *update_modules(subnetwork)], apart=gone)


def _size(decoder: Decoder, works: Sequence[_Work], tensors: Sequence[Tensor]) -> Size:
    parameters = sum(tensor.numel() for tensor in tensors if isinstance(tensor, nn.Parameter))
    with peak_beside(decoder.device, tensors) as peak:
        for work in works:
            work.run()
    return Size(
        blocks=len(decoder.blocks),
        parameters=parameters,
        stored_bytes=parameters * getattr(torch, decoder.source.stored_dtype).itemsize,
        kv_bytes_per_token=kv_bytes_per_token(decoder),
        weight_bytes=sum(tensor.nbytes for tensor in tensors),
        working_bytes=peak.bytes,
    )


def _check(decoder: Decoder, options: ProfileOptions) -> None:
    room = decoder.context_length
    numbers = {
        "prompt_tokens": options.prompt_tokens,
        "context_tokens": options.context_tokens,
        "new_tokens": options.new_tokens,
        "rounds": options.rounds,
        **{f"batch_sizes[{index}]": size for index, size in enumerate(options.batch_sizes)},
    }
    for name, value in numbers.items():
        if value < 1:
            raise DepthkitError("INVALID_ARGUMENT", f"Profiling with {name} = {value}: it is at least 1.", name=name)
    longest = max(options.prompt_tokens, options.context_tokens + options.new_tokens)
    if room is not None and longest > room:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Profiling on texts of {longest} tokens: the model takes {room}. Ask for fewer prompt tokens, or for "
            "fewer context and new tokens.",
            tokens=longest,
            contextLength=room,
        )
    if not options.modes or len(set(options.modes)) < len(options.modes) or "dense" in options.modes:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Profiling the modes {', '.join(options.modes) or '(none)'}: name masked, physical or both, each once; "
            "the dense model is always measured.",
            modes=list(options.modes),
        )
    if not options.batch_sizes or len(set(options.batch_sizes)) < len(options.batch_sizes):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Profiling with batch sizes {list(options.batch_sizes)}: name at least one, each once.",
            batchSizes=list(options.batch_sizes),
        )
