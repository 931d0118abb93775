from __future__ import annotations

import time

from depthkit_worker.contract.wire import ModelProfile, ProfilingProfileParams, ProfilingProfileResult, Speed, Spread
from depthkit_worker.handlers.sources import subnetwork_of
from depthkit_worker.profiling.profile import ModelProfile as Profiled
from depthkit_worker.profiling.profile import ProfileOptions
from depthkit_worker.profiling.profile import Speed as MeasuredSpeed
from depthkit_worker.profiling.profile import profile as measure_profile
from depthkit_worker.profiling.spread import Spread as MeasuredSpread
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


def profile(session: Session, params: ProfilingProfileParams, call: Call) -> ProfilingProfileResult:
    started = time.monotonic()
    subnetwork = subnetwork_of(session, params)
    options = ProfileOptions(
        modes=tuple(params.modes),
        prompt_tokens=params.prompt_tokens,
        context_tokens=params.context_tokens,
        new_tokens=params.new_tokens,
        batch_sizes=tuple(params.batch_sizes),
        rounds=params.rounds,
        warmup_rounds=params.warmup_rounds,
        seed=params.seed,
    )
    result = measure_profile(subnetwork, options, call)
    decoder = subnetwork.decoder
    return ProfilingProfileResult(
        models=[_model(model) for model in result.models],
        device=str(decoder.device),
        dtype=str(decoder.dtype).removeprefix("torch."),
        stored_dtype=decoder.source.stored_dtype,
        attention=decoder.attention_implementation,
        threads=result.threads,
        memory_counted_by=result.memory_counted_by,
        prompt_tokens=params.prompt_tokens,
        context_tokens=params.context_tokens,
        new_tokens=params.new_tokens,
        rounds=params.rounds,
        warmup_rounds=params.warmup_rounds,
        seed=params.seed,
        seconds=time.monotonic() - started,
    )


def _model(profiled: Profiled) -> ModelProfile:
    size = profiled.size
    return ModelProfile(
        mode=profiled.mode,
        blocks=size.blocks,
        parameters=size.parameters,
        stored_bytes=size.stored_bytes,
        kv_bytes_per_token=size.kv_bytes_per_token,
        weight_bytes=size.weight_bytes,
        working_bytes=size.working_bytes,
        peak_bytes=size.weight_bytes + size.working_bytes,
        prefill=_speed(profiled.prefill),
        decode=[_speed(speed) for speed in profiled.decode],
    )


def _speed(speed: MeasuredSpeed) -> Speed:
    return Speed(
        batch_size=speed.batch_size,
        tokens_per_second=_spread(speed.tokens_per_second),
        against_dense=_spread(speed.against_dense),
    )


def _spread(spread: MeasuredSpread) -> Spread:
    return Spread(
        median=spread.median,
        lower_quartile=spread.lower_quartile,
        upper_quartile=spread.upper_quartile,
        min=spread.min,
        max=spread.max,
        samples=list(spread.samples),
    )
