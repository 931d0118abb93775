"""Text that a model writes itself, as a corpus to train its repairs on: self-data distillation, arXiv
2410.09982. Each sequence is the beginning of one of another corpus and what the whole model writes behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from depthkit_worker.contract.wire import CorpusWriteOptions, WrittenInfo
from depthkit_worker.data.corpus import Corpus, joined
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.finished_items import FinishedItems
from depthkit_worker.models.cancellable import cancellable
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.ending_tokens import ending_tokens
from depthkit_worker.models.logits import Reader
from depthkit_worker.models.stepper import Stepper, pad_left
from depthkit_worker.session.job import Job

SEQUENCE_STRIDE = 1_000_003
"""Between the seeds of two sequences, so that corpora of seeds next to each other share no draws."""


def write_corpus(
    decoder: Decoder,
    prompts: Corpus,
    options: CorpusWriteOptions,
    job: Job,
    *,
    finished: FinishedItems | None = None,
) -> Corpus:
    """The values of an item of `finished` are the ids written in a sequence."""
    if options.temperature == 0 and options.seed != 0:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"Writing a corpus with the seed {options.seed} and temperature 0: nothing is drawn, so that no "
            "seed changes it. Leave the seed out, or give a temperature above 0.",
            seed=options.seed,
        )
    finished = finished or FinishedItems()
    begun = [prompts.row(number)[: options.prompt_tokens].tolist() for number in range(prompts.sequences)]
    tokeniser, ends = tokeniser_of(decoder), ending_tokens(decoder)
    longest = max(map(len, begun)) + options.new_tokens
    tokeniser.limits.require_length(
        longest,
        f"Writing {options.new_tokens:,} tokens (newTokens) behind up to {max(map(len, begun)):,}",
        "Ask for fewer new tokens, or for shorter prompts (promptTokens).",
    )
    missing = finished.missing([range(1, options.new_tokens + 1)] * len(begun))
    done = len(begun) - len(missing)
    for written in _batches(decoder, begun, missing, options, ends, job):
        finished.add(list(written), [np.asarray(ids, dtype=np.float64) for ids in written.values()])
        done += len(written)
        job.report("writing", done, len(begun), "sequences")
    texts = [[int(token) for token in finished[place]] for place in range(len(begun))]
    rows = [np.asarray(prompt + text, dtype=np.int32) for prompt, text in zip(begun, texts, strict=True)]
    written_tokens = sum(map(len, texts))
    info = WrittenInfo(
        weights=decoder.source.weights_digest,
        prompts=prompts.info.tokens_digest,
        prompt_tokens=options.prompt_tokens,
        new_tokens=options.new_tokens,
        temperature=options.temperature,
        seed=options.seed,
        tokens=written_tokens,
        ended=sum(text[-1] in ends for text in texts),
    )
    return joined(prompts, rows, info, tuple(map(len, begun)), tokeniser.first(rows[0]))


@dataclass
class _Row:
    place: int
    draws: torch.Generator | None
    """Of its own, so that what is drawn hangs on no other sequence; None: the likeliest token is taken."""
    written: list[int] = field(default_factory=list)


def _batches(
    decoder: Decoder,
    prompts: Sequence[list[int]],
    places: Sequence[int],
    options: CorpusWriteOptions,
    ends: tuple[int, ...],
    job: Job,
) -> Iterator[dict[int, list[int]]]:
    """The ids written behind the prompts at `places`, a batch of prompts of like length at a time."""
    order = sorted(places, key=lambda place: -len(prompts[place]))
    for first in range(0, len(order), options.batch_size):
        rows = [_Row(place, _draws(options, place)) for place in order[first : first + options.batch_size]]
        _write(decoder, [prompts[row.place] for row in rows], rows, options, ends, job)
        yield {row.place: row.written for row in rows}


def _draws(options: CorpusWriteOptions, place: int) -> torch.Generator | None:
    if options.temperature == 0:
        return None
    return torch.Generator().manual_seed((options.seed + SEQUENCE_STRIDE * place) % 2**63)


def _write(
    decoder: Decoder,
    prompts: Sequence[list[int]],
    rows: list[_Row],
    options: CorpusWriteOptions,
    ends: tuple[int, ...],
    job: Job,
) -> None:
    stepper, reader = Stepper(decoder), Reader("Writing a corpus", decoder.dtype, "sequence")
    with cancellable(decoder, job):
        logits = stepper.begin(pad_left(prompts))
    for step in range(options.new_tokens):
        job.check()
        reader.check(logits, [row.place for row in rows], step)
        tokens = _chosen(logits, rows, options.temperature)
        for row, token in zip(rows, tokens.tolist(), strict=True):
            row.written.append(token)
        going = [index for index, row in enumerate(rows) if row.written[-1] not in ends]
        if not going or step + 1 == options.new_tokens:
            return
        if len(going) < len(rows):
            kept = torch.tensor(going, device=tokens.device)
            stepper.keep(kept)
            rows, tokens = [rows[index] for index in going], tokens[kept]
        logits = stepper.step(tokens)


def _chosen(logits: Tensor, rows: Sequence[_Row], temperature: float) -> Tensor:
    """The next token of each row, (batch,): the likeliest, or by inversion of the distribution."""
    draws = [row.draws for row in rows if row.draws is not None]
    if not draws:
        return logits.argmax(-1)
    uniform = torch.cat([torch.rand(1, generator=one, dtype=torch.float64) for one in draws])
    # On the CPU in fp64: it is one row of logits, and what is drawn is then alike on all devices.
    up_to = (logits.detach().cpu().double() / temperature).softmax(-1).cumsum(-1)
    found = torch.searchsorted(up_to, uniform[:, None] * up_to[:, -1:], right=True).squeeze(1)
    return found.clamp(max=logits.shape[-1] - 1).to(logits.device)
