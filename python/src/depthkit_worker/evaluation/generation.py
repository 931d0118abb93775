"""Text from a subnetwork, by the library's own generation loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import LongTensor, Tensor
from transformers import (
    GenerationConfig,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)

from depthkit_worker.contract.wire import (
    FinishReason,
    GenerateOptions,
    Generation,
    GenerationGenerateResult,
    Policy,
)
from depthkit_worker.data.tokens import Prompt, Tokeniser, tokeniser_of
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.batched_writing import Grow, Writing, write_batches
from depthkit_worker.evaluation.finished_items import FinishedItems
from depthkit_worker.evaluation.logits import FiniteLogits
from depthkit_worker.evaluation.next_tokens import NextTokens, OnlyChosen, Stream
from depthkit_worker.evaluation.told_text import Tell, ToldText
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.ending_tokens import ending_tokens
from depthkit_worker.models.kv_cache import cache_keyword, empty_cache, kv_bytes_per_token
from depthkit_worker.models.logits import Reader
from depthkit_worker.policies.follow import following
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.subnetwork import Subnetwork

Texts = Generator[dict[int, list[int]]]
"""Ids written, by the place of their prompt."""
PHASE = "generating"


@dataclass(frozen=True)
class _Writer:
    """All that stays the same from prompt to prompt."""

    decoder: Decoder
    tokeniser: Tokeniser
    options: GenerateOptions
    ends: tuple[int, ...]
    """Tokens that end a text."""

    def decode(self, ids: Sequence[int]) -> str:
        text = self.tokeniser.tokenizer.decode(list(ids), skip_special_tokens=True)
        assert isinstance(text, str)
        return text


def generate(
    subnetwork: Subnetwork,
    prompts: Sequence[str],
    options: GenerateOptions,
    job: Job,
    *,
    policy: Policy | None = None,
    finished: FinishedItems | None = None,
    places: Sequence[str] | None = None,
    streams: Sequence[Stream] | None = None,
    tell: Tell | None = None,
) -> GenerationGenerateResult:
    """What `subnetwork` writes after each of `prompts`, under `policy`. The values of an item of `finished`
    are the ids written after a prompt. `places` names the prompts in messages; None: by their numbers.
    `streams` are the random numbers of their texts; None: those of the prompts' numbers.
    `tell` hears of text as it is written."""
    started = time.monotonic()
    check_options(options)
    _check_policy(policy, options)
    decoder = subnetwork.decoder
    writer = _Writer(decoder, tokeniser_of(decoder), options, ending_tokens(decoder))
    named = [f"prompt {number + 1}" for number in range(len(prompts))] if places is None else places
    encoded = [_encode(writer, prompt, place) for prompt, place in zip(prompts, named, strict=True)]
    told = None if tell is None else ToldText(writer.decode, options.stop, tell)
    finished = finished or FinishedItems()
    missing = finished.missing([range(1, options.max_new_tokens + 1)] * len(prompts))
    left = [encoded[place].ids for place in missing]
    drawn = [(place, 0) if streams is None else streams[place] for place in missing]
    with following(subnetwork, policy) as follower, torch.no_grad():
        kv_bytes = kv_bytes_per_token(decoder)
        # The library's own loop says of no token where it stands.
        if options.batch_size > 1 or follower is not None:
            texts = _write_batches(writer, left, drawn, job, _grow(told, missing))
        else:
            cached = options.cache and kv_bytes > 0
            texts = _one_by_one(writer, left, drawn, job, _grow(told, missing), cached=cached)
        with closing(texts):
            for written in texts:
                ids = [np.asarray(text, dtype=np.float64) for text in written.values()]
                finished.add([missing[place] for place in written], ids)
                if told is not None:
                    for place, text in written.items():
                        told.end(missing[place], _cut(writer, text)[0])
    generations = tuple(
        _read(writer, prompt, encoded[place], [int(token) for token in finished[place]])
        for place, prompt in enumerate(prompts)
    )
    return GenerationGenerateResult(
        generations=generations,
        kv_bytes_per_token=kv_bytes,
        skips=None if follower is None else follower.skips(),
        seconds=time.monotonic() - started,
    )


def _grow(told: ToldText | None, places: Sequence[int]) -> Grow:
    """Tells of the texts after prompts at these places."""
    if told is None:
        return lambda _place, _written: None
    return lambda place, written: told.grow(places[place], written)


def _write_batches(
    writer: _Writer,
    encoded: Sequence[list[int]],
    streams: Sequence[Stream],
    job: Job,
    grow: Grow,
) -> Texts:
    """Text after each of `encoded`, by the writer's decoder as it stands."""
    options, decoder = writer.options, writer.decoder

    def ended(written: Sequence[int]) -> bool:
        if written[-1] in writer.ends:
            return True
        if not options.stop:
            return False
        text = writer.decode(written)
        return any(stop in text for stop in options.stop)

    writing = Writing(
        most=options.max_new_tokens,
        batch_size=options.batch_size,
        choosing=lambda places: NextTokens(options, [streams[place] for place in places]),
        ended=ended,
        reader=Reader("Writing text", decoder.dtype),
    )
    done = 0
    for written in write_batches(decoder, encoded, writing, job, grow):
        yield written
        done += len(written)
        job.report(PHASE, done, len(encoded), "texts")


def _one_by_one(
    writer: _Writer,
    encoded: Sequence[list[int]],
    streams: Sequence[Stream],
    job: Job,
    grow: Grow,
    *,
    cached: bool,
) -> Texts:
    each = writer.options.max_new_tokens
    total = len(encoded) * each
    with _plain_defaults(writer.decoder):
        for index, (ids, stream) in enumerate(zip(encoded, streams, strict=True)):
            watch = _Watch(writer, len(ids), job, (index * each, total), partial(grow, index))
            tokens = NextTokens(writer.options, [stream])
            yield {index: _continue(writer, index, ids, tokens, watch, cached)}
    job.report(PHASE, total, total, "tokens")


def _continue(
    writer: _Writer, place: int, ids: list[int], tokens: NextTokens, watch: _Watch, cached: bool
) -> list[int]:
    device = writer.decoder.device
    cache: dict[str, Any] = {cache_keyword(writer.decoder.model): empty_cache()} if cached else {}
    input_ids = torch.tensor([ids], device=device)
    reader = Reader("Writing text", writer.decoder.dtype)
    processors = [FiniteLogits(reader, [place]), OnlyChosen(tokens)]
    output = writer.decoder.model.generate(  # type: ignore[operator]
        input_ids,
        attention_mask=torch.ones_like(input_ids),
        generation_config=_generation_config(writer, cached),
        stopping_criteria=StoppingCriteriaList([watch]),
        logits_processor=LogitsProcessorList(processors),
        **cache,
    )
    assert isinstance(output, Tensor)
    written: list[int] = output[0, len(ids) :].tolist()
    return written


class _Watch(StoppingCriteria):
    """Runs after every token: obeys a cancel, reports, and looks for stop strings."""

    def __init__(
        self,
        writer: _Writer,
        prompt_tokens: int,
        job: Job,
        done_of: tuple[int, int],
        grow: Callable[[list[int]], None],
    ) -> None:
        self._decode = writer.decode
        self._grow = grow
        self._stop = writer.options.stop
        self._prompt_tokens = prompt_tokens
        self._job = job
        self._before, self._total = done_of

    def __call__(self, input_ids: LongTensor, scores: Tensor, **_: Any) -> Tensor:
        self._job.check()
        written = input_ids[0, self._prompt_tokens :]
        self._job.report(PHASE, self._before + len(written), self._total, "tokens")
        self._grow(written.tolist())
        stopped = False
        if self._stop:
            text = self._decode(written.tolist())
            stopped = any(stop in text for stop in self._stop)
        return torch.tensor([stopped], device=input_ids.device)


def _read(writer: _Writer, prompt: str, encoded: Prompt, written: list[int]) -> Generation:
    text, finish = _cut(writer, written)
    return Generation(
        prompt=prompt,
        text=text,
        prompt_tokens=len(encoded.ids),
        first_tokens=writer.tokeniser.first(encoded.ids),
        bos_in_text=encoded.bos_in_text,
        token_ids=tuple(written),
        finish=finish,
    )


def _cut(writer: _Writer, written: Sequence[int]) -> tuple[str, FinishReason]:
    """The text of these ids up to a stop string, and why it ended."""
    text = writer.decode(written)
    cuts = [at for stop in writer.options.stop if (at := text.find(stop)) >= 0]
    if cuts:
        return text[: min(cuts)], "stop"
    return text, "end-of-text" if written and written[-1] in writer.ends else "length"


def _encode(writer: _Writer, prompt: str, place: str) -> Prompt:
    tokeniser, options = writer.tokeniser, writer.options
    found = tokeniser.to_continue(prompt, place, chat=options.chat)
    tokeniser.limits.require_length(
        len(found.ids) + options.max_new_tokens,
        f"Writing {options.max_new_tokens:,} tokens (maxNewTokens) behind {place}, which has "
        f"{len(found.ids):,}",
        "Ask for fewer new tokens, or shorten the prompt.",
    )
    return found


@contextmanager
def _plain_defaults(decoder: Decoder) -> Iterator[None]:
    """Hide the checkpoint's own sampling defaults: the options alone say how tokens are chosen."""
    model = decoder.model
    shipped = model.generation_config
    model.generation_config = GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = shipped


def _generation_config(writer: _Writer, cached: bool) -> GenerationConfig:
    ends = writer.ends
    return GenerationConfig(
        max_new_tokens=writer.options.max_new_tokens,
        eos_token_id=list(ends) or None,
        pad_token_id=ends[0] if ends else 0,  # One prompt at a time: never seen.
        use_cache=cached,
        do_sample=False,  # What is drawn is drawn before: see `OnlyChosen`.
    )


def _check_policy(policy: Policy | None, options: GenerateOptions) -> None:
    if policy is not None and not options.cache:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            "Text under a policy was asked for without a cache. A policy is followed with one: leave the "
            "option cache out.",
            cache=False,
        )


def check_options(options: GenerateOptions) -> None:
    if options.batch_size > 1 and not options.cache:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Batches of {options.batch_size} prompts without a cache were asked for. Batches are written "
            "with one; texts without a cache are written one at a time (batchSize 1).",
            batchSize=options.batch_size,
        )
    if options.temperature == 0 and (options.top_p < 1 or options.seed > 0):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Greedy text (temperature 0) was asked for with topP {options.top_p:g} and seed {options.seed}. "
            "Both are for sampling: set a temperature above 0, or leave them out.",
            topP=options.top_p,
            seed=options.seed,
        )
