"""What an exported model should answer, kept in it, so that a check in the software that it is for needs
neither the source nor the model in memory."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from transformers import DynamicCache

from depthkit_worker.contract.wire import ExportReference, ExportReferencePrompt, ExportReferenceText
from depthkit_worker.export.reference_file import VERSION
from depthkit_worker.export.verify import fixed_batch
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.kv_cache import cache_keyword, empty_cache, kv_bytes_per_token
from depthkit_worker.models.limits import limits_of
from depthkit_worker.models.logits import Reader
from depthkit_worker.models.tokenizer_probes import readings
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork

TEXTS = (
    "The library of the small town was built in the last century, and its readers",
    "To boil an egg, fill a pot with water and wait until",
)
WRITTEN = 16
"""Tokens that are generated after each prompt."""


def reference_of(subnetwork: Subnetwork, job: Job) -> ExportReference:
    """The answers of `subnetwork` in memory."""
    decoder = subnetwork.decoder
    with removed(subnetwork):
        prompts = tuple(_prompt(decoder, ids, text, job) for ids, text in _prompts(decoder))
        kv_bytes = kv_bytes_per_token(decoder)
    tokenizer = decoder.tokenizer
    texts = () if tokenizer is None else readings(tokenizer)
    return ExportReference(
        version=VERSION,
        prompts=prompts,
        texts=tuple(ExportReferenceText(text=text, ids=ids) for text, ids in texts),
        kv_bytes_per_token=kv_bytes,
    )


def _prompts(decoder: Decoder) -> list[tuple[list[int], str | None]]:
    """Tokens of each prompt, and the text that they are all of; None where the model reads no text."""
    texts = [] if decoder.tokenizer is None else [(decoder.tokenizer.encode(text), text) for text in TEXTS]
    rows = limits_of(decoder.model).rows
    # An old tokenizer beside the weights may have tokens that the model has no row for.
    readable = rows is None or all(token < rows for ids, _ in texts for token in ids)
    found: list[tuple[list[int], str | None]] = []
    if texts and readable and all(ids for ids, _ in texts):
        found.extend(texts)
    else:
        found.extend((row.tolist(), None) for row in fixed_batch(decoder))
    room = _room(decoder)
    return [(ids, text) if len(ids) <= room else (ids[:room], None) for ids, text in found]


def _room(decoder: Decoder) -> int:
    """The most tokens of a prompt, at least one, behind which there is room to write."""
    longest = decoder.context_length
    return 1024 if longest is None else max(1, longest - WRITTEN)


def _prompt(decoder: Decoder, ids: list[int], text: str | None, job: Job) -> ExportReferencePrompt:
    cache = {cache_keyword(decoder.model): empty_cache()}
    scores = _log_probabilities(decoder, ids, cache)
    likeliest = scores.argmax(-1)
    written = [int(likeliest[-1])]
    longest = decoder.context_length
    count = WRITTEN if longest is None else max(1, min(WRITTEN, longest - len(ids)))
    while len(written) < count:
        job.check()
        written.append(int(_log_probabilities(decoder, written[-1:], cache)[-1].argmax()))
    return ExportReferencePrompt(
        text=text,
        ids=tuple(ids),
        likeliest=tuple(likeliest.tolist()),
        log_probabilities=tuple(scores.gather(-1, likeliest[:, None])[:, 0].tolist()),
        written=tuple(written),
    )


@torch.no_grad()
def _log_probabilities(decoder: Decoder, ids: list[int], cache: Mapping[str, DynamicCache]) -> Tensor:
    """(sequence, vocabulary), in fp32, behind each of `ids`, which follow what is in `cache`."""
    batch = torch.tensor([ids], device=decoder.device)
    logits = decoder.model(input_ids=batch, use_cache=True, **cache).logits.float()
    Reader("Computing what the export should answer", decoder.dtype, "prompt").check(logits, range(1))
    scores: Tensor = logits[0].log_softmax(-1)
    return scores
