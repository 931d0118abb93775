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
    Skips,
)
from depthkit_worker.data.tokens import Prompt, Tokeniser, tokeniser_of
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.batched_writing import Grow, Writing, write_batches, writing_items
from depthkit_worker.evaluation.finished_items import FinishedItems
from depthkit_worker.evaluation.logits import FiniteLogits
from depthkit_worker.evaluation.next_tokens import NextTokens, OnlyChosen, Stream
from depthkit_worker.evaluation.told_text import Tell, ToldText
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.ending_tokens import ending_tokens
from depthkit_worker.models.kv_cache import cache_keyword, empty_cache, kv_bytes_per_token
from depthkit_worker.models.logits import Reader
from depthkit_worker.policies.follow import at_work
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.hands import Hands, OwnDevice
from depthkit_worker.subnetworks.subnetwork import Subnetwork

PHASE = "generating"
Written = Generator[dict[int, list[int]]]
"""Ids written, by the place of their prompt."""


@dataclass(frozen=True)
class Texts:
    """What a subnetwork wrote after some prompts."""

    generations: tuple[Generation, ...]
    skips: Skips | None
    """What the policy skipped, if there is one."""


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
    tell: Tell | None = None,
    hands: Hands | None = None,
) -> GenerationGenerateResult:
    """`write_texts`, and what the cache takes."""
    started = time.monotonic()
    texts = write_texts(
        subnetwork, prompts, options, job, policy=policy, finished=finished, tell=tell, hands=hands
    )
    with removed(subnetwork):
        kv_bytes = kv_bytes_per_token(subnetwork.decoder)
    return GenerationGenerateResult(
        generations=texts.generations,
        kv_bytes_per_token=kv_bytes,
        skips=texts.skips,
        seconds=time.monotonic() - started,
    )


def write_texts(
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
    hands: Hands | None = None,
) -> Texts:
    """What `subnetwork` writes after each of `prompts`, under `policy`. The values of an item of `finished`
    are the ids written after a prompt. `places` names the prompts in messages; None: by their numbers.
    `streams` are the random numbers of their texts; None: those of the prompts' numbers.
    `tell` hears of text as it is written, on this worker's device. `hands` are who write, see `at_work`."""
    check_options(options)
    _check_policy(policy, options)
    decoder = subnetwork.decoder
    writer = _Writer(decoder, tokeniser_of(decoder), options, ending_tokens(decoder))
    named = [f"prompt {number + 1}" for number in range(len(prompts))] if places is None else places
    encoded = [_encode(writer, prompt, place) for prompt, place in zip(prompts, named, strict=True)]
    told = None if tell is None else ToldText(writer.decode, options.stop, tell)
    finished = finished or FinishedItems()
    missing = finished.missing([range(1, options.max_new_tokens + 1)] * len(prompts))
    left = Prompts(
        tuple(missing),
        tuple(tuple(encoded[place].ids) for place in missing),
        tuple((place, 0) if streams is None else streams[place] for place in missing),
    )
    # The library's own loop says of no token where it stands.
    batched, done = options.batch_size > 1 or policy is not None, 0
    work = TextWriting(options, batched, None if told is None else told.grow)
    items = writing_items(left.ids, options.max_new_tokens, options.batch_size, left.some, sort=batched)
    with at_work(subnetwork, policy, None if tell else hands) as (workers, follower):
        # One by one, each token is told of by who writes it here.
        by_texts = batched or not isinstance(workers, OwnDevice)
        with closing(workers.run(work, items, job)) as texts:
            for written in texts:
                ids = [np.asarray(text, dtype=np.float64) for text in written.values()]
                finished.add([*written], ids)
                done += len(written)
                if by_texts:
                    job.report(PHASE, done, len(missing), "texts")
                if told is not None:
                    for place, text in written.items():
                        told.end(place, _cut(writer, text)[0])
    generations = tuple(
        _read(writer, prompt, encoded[place], [int(token) for token in finished[place]])
        for place, prompt in enumerate(prompts)
    )
    return Texts(generations, None if follower is None else follower.skips())


@dataclass(frozen=True)
class Prompts:
    """Some of the prompts."""

    places: tuple[int, ...]
    """Among all of them."""
    ids: tuple[tuple[int, ...], ...]
    streams: tuple[Stream, ...]

    def some(self, numbers: Sequence[int]) -> Prompts:
        return Prompts(
            tuple(self.places[number] for number in numbers),
            tuple(self.ids[number] for number in numbers),
            tuple(self.streams[number] for number in numbers),
        )


@dataclass(frozen=True)
class TextWriting:
    """Writes text after prompts; what it finds is the ids written, by the prompts' places."""

    options: GenerateOptions
    batched: bool
    """Whether in batches, by a loop of our own; else one by one, by the library's."""
    grow: Grow | None = None
    """Hears of every token, where text is written here."""

    @torch.no_grad()
    def run(self, decoder: Decoder, part: Prompts, job: Job) -> Written:
        writer = _Writer(decoder, tokeniser_of(decoder), self.options, ending_tokens(decoder))
        write = _write_batches if self.batched else _one_by_one
        yield from write(writer, part, job, self.grow or (lambda _place, _written: None))


def _write_batches(writer: _Writer, part: Prompts, job: Job, grow: Grow) -> Written:
    """By the writer's decoder as it stands."""
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
        choosing=lambda places: NextTokens(options, [part.streams[place] for place in places]),
        ended=ended,
        reader=Reader("Writing text", decoder.dtype),
        numbers=part.places,
    )
    told = _of_places(grow, part.places)
    for written in write_batches(decoder, part.ids, writing, job, told):
        yield {part.places[index]: ids for index, ids in written.items()}


def _of_places(grow: Grow, places: Sequence[int]) -> Grow:
    return lambda index, written: grow(places[index], written)


def _one_by_one(writer: _Writer, part: Prompts, job: Job, grow: Grow) -> Written:
    each, options = writer.options.max_new_tokens, writer.options
    total = len(part.ids) * each
    cached = options.cache and kv_bytes_per_token(writer.decoder) > 0
    with _plain_defaults(writer.decoder):
        for index, (place, ids, stream) in enumerate(zip(part.places, part.ids, part.streams, strict=True)):
            watch = _Watch(writer, len(ids), job, (index * each, total), partial(grow, place))
            tokens = NextTokens(options, [stream])
            yield {place: _continue(writer, place, ids, tokens, watch, cached)}
    job.report(PHASE, total, total, "tokens")


def _continue(
    writer: _Writer, place: int, ids: Sequence[int], tokens: NextTokens, watch: _Watch, cached: bool
) -> list[int]:
    device = writer.decoder.device
    cache: dict[str, Any] = {cache_keyword(writer.decoder.model): empty_cache()} if cached else {}
    input_ids = torch.tensor([[*ids]], device=device)
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
