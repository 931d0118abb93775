"""Text that a model writes itself, as a corpus to train its repairs on: self-data distillation, arXiv
2410.09982. Each sequence is the beginning of one of another corpus and what the whole model writes behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch

from depthkit_worker.contract.wire import CorpusWriteOptions, WrittenInfo
from depthkit_worker.data.corpus import Corpus, joined
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.batched_writing import Writing, write_batches, writing_items
from depthkit_worker.evaluation.finished_items import FinishedItems
from depthkit_worker.evaluation.next_tokens import Chooser
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.ending_tokens import ending_tokens
from depthkit_worker.models.logits import Reader
from depthkit_worker.policies.follow import at_work
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.hands import Hands
from depthkit_worker.subnetworks.subnetwork import Subnetwork

SEQUENCE_STRIDE = 1_000_003
"""Between the seeds of two sequences, so that corpora of seeds next to each other share no draws."""


def write_corpus(
    decoder: Decoder,
    prompts: Corpus,
    options: CorpusWriteOptions,
    job: Job,
    *,
    finished: FinishedItems | None = None,
    hands: Hands | None = None,
) -> Corpus:
    """The values of an item of `finished` are the ids written in a sequence. `hands` are who write, see
    `at_work`."""
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
    left = Begun(tuple(missing), tuple(tuple(begun[place]) for place in missing))
    items = writing_items(left.ids, options.new_tokens, options.batch_size, left.some)
    with (
        at_work(Subnetwork.dense(decoder), None, hands) as (workers, _),
        closing(workers.run(SequenceWriting(options), items, job)) as found,
    ):
        for written in found:
            ids = [np.asarray(text, dtype=np.float64) for text in written.values()]
            finished.add([*written], ids)
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


@dataclass(frozen=True)
class Begun:
    """Beginnings of some of the sequences."""

    places: tuple[int, ...]
    """Among all of them."""
    ids: tuple[tuple[int, ...], ...]

    def some(self, numbers: Sequence[int]) -> Begun:
        return Begun(
            tuple(self.places[number] for number in numbers), tuple(self.ids[number] for number in numbers)
        )


@dataclass(frozen=True)
class SequenceWriting:
    """Writes sequences on; what it finds is the ids written, by the sequences' places."""

    options: CorpusWriteOptions

    @torch.no_grad()
    def run(self, decoder: Decoder, part: Begun, job: Job) -> Iterator[dict[int, list[int]]]:
        options, ends = self.options, ending_tokens(decoder)
        writing = Writing(
            most=options.new_tokens,
            batch_size=options.batch_size,
            choosing=lambda places: _choosing(options, [part.places[place] for place in places]),
            ended=lambda written: written[-1] in ends,
            numbers=part.places,
            reader=Reader("Writing a corpus", decoder.dtype, "sequence"),
        )
        for written in write_batches(decoder, part.ids, writing, job):
            yield {part.places[index]: ids for index, ids in written.items()}


def _choosing(options: CorpusWriteOptions, sequences: Sequence[int]) -> Chooser:
    """Each sequence draws by its own number, so that what is drawn depends on no other."""
    if options.temperature == 0:
        return Chooser(0, 1, [])
    seeds = [(options.seed + SEQUENCE_STRIDE * sequence) % 2**63 for sequence in sequences]
    return Chooser(options.temperature, 1, [_numbers(seed) for seed in seeds])


def _numbers(seed: int) -> Callable[[], float]:
    generator = torch.Generator().manual_seed(seed)
    return lambda: float(torch.rand(1, generator=generator, dtype=torch.float64))
