"""The dense model's output on the sequences of a training: computed once, kept on disk, read by the batch.

A sequence is one record, in this order: of each position the differences of its top logits to the largest
(fp16), their ids (int32) and the probability of all other tokens (fp32), 6 bytes per logit and 4 more; then
the stream behind each gap in the model's dtype. Plain reads, not a memory map: pages of a map count as the
process's own memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import torch
from torch import LongTensor, Tensor

from depthkit_worker.data.corpus import Corpus
from depthkit_worker.disk_full import disk_full
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.logits import Reader
from depthkit_worker.models.next_token_loss import slice_width
from depthkit_worker.repair.training.objective import TopLogits, restored, top_of
from depthkit_worker.repair.training.scratch import scratch_folder
from depthkit_worker.session.job import Job

PHASE = "teacher"
NAME = "teacher"


@dataclass(frozen=True)
class Wanted:
    """What is kept of the dense model's output."""

    top: int
    """Logits per position; 0: none."""
    streams: tuple[int, ...]
    """Blocks, in order, whose output is kept."""

    @property
    def nothing(self) -> bool:
        return self.top == 0 and not self.streams

    def bytes_per_token(self, decoder: Decoder) -> int:
        logits = 6 * self.top + 4 if self.top else 0
        return logits + len(self.streams) * decoder.hidden_size * decoder.dtype.itemsize


@dataclass(frozen=True)
class Taught:
    """The dense model's output on one batch."""

    top: TopLogits | None
    """(batch, sequence, top); what stands at pads means nothing."""
    streams: dict[int, Tensor]
    """By block: (batch, sequence, hidden)."""


class Teacher:
    """Reads what was stored."""

    def __init__(
        self, file: IO[bytes] | None, offsets: dict[int, int], wanted: Wanted, decoder: Decoder
    ) -> None:
        self._file = file
        self._offsets = offsets
        self._wanted = wanted
        self._decoder = decoder

    def read(self, sequences: Sequence[int], lengths: Sequence[int], device: torch.device) -> Taught:
        """The output on these sequences, as the rows of a batch."""
        if self._file is None:
            return Taught(None, {})
        top, hidden = self._wanted.top, self._decoder.hidden_size
        shape = (len(sequences), max(lengths))
        differences = torch.zeros(*shape, top, dtype=torch.float16)
        ids = torch.zeros(*shape, top, dtype=torch.int32)
        rest = torch.zeros(shape)
        streams = {
            block: torch.zeros(*shape, hidden, dtype=self._decoder.dtype) for block in self._wanted.streams
        }
        for row, (number, length) in enumerate(zip(sequences, lengths, strict=True)):
            self._file.seek(self._offsets[number])
            parts = [differences, ids, rest] if top else []
            for part in itertools.chain(parts, streams.values()):
                part[row, :length] = self._next(part.dtype, (length, *part.shape[2:]))
        return Taught(
            restored(ids.to(device), differences.to(device), rest.to(device)) if top else None,
            {block: stream.to(device) for block, stream in streams.items()},
        )

    def _next(self, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
        assert self._file is not None
        size = torch.Size(shape).numel() * dtype.itemsize
        data = bytearray(size)
        if self._file.readinto(data) != size:  # type: ignore[attr-defined]
            raise OSError(f"{self._file.name} is shorter than what was written to it")
        return torch.frombuffer(data, dtype=dtype).view(shape)


@contextmanager
def teach(
    decoder: Decoder,
    corpus: Corpus,
    sequences: Sequence[int],
    wanted: Wanted,
    folder: Path,
    batch_size: int,
    job: Job,
) -> Iterator[Teacher]:
    """Run the dense model, which `decoder` is, once over `sequences`. What is stored is gone afterwards."""
    if wanted.nothing or not sequences:
        yield Teacher(None, {}, wanted, decoder)
        return
    lengths = [corpus.starts[number + 1] - corpus.starts[number] for number in sequences]
    sizes = [length * wanted.bytes_per_token(decoder) for length in lengths]
    offsets = dict(zip(sequences, itertools.accumulate(sizes, initial=0), strict=False))
    with ExitStack() as open_files:
        scratch = open_files.enter_context(scratch_folder(folder, NAME, sum(sizes)))
        path = scratch / "records"
        try:
            with path.open("wb") as file:
                for first in range(0, len(sequences), batch_size):
                    _record(decoder, corpus, sequences[first : first + batch_size], wanted, file, job)
                    job.report(PHASE, min(first + batch_size, len(sequences)), len(sequences), "sequences")
        except OSError as error:
            raise DepthkitError(
                "DISK_FULL" if disk_full(error) else "INTERNAL",
                f"Writing the dense model's output for training to {folder} failed: {error}. It takes "
                f"{sum(sizes):,} bytes: make room, lower teacherTop or steps, or give a folder on another "
                f"disk.",
                folder=str(folder),
                needed=sum(sizes),
            ) from error
        yield Teacher(open_files.enter_context(path.open("rb")), offsets, wanted, decoder)


@torch.no_grad()
def _record(
    decoder: Decoder, corpus: Corpus, sequences: Sequence[int], wanted: Wanted, file: IO[bytes], job: Job
) -> None:
    batch = corpus.batch_of(sequences)
    reader = Reader("Keeping the dense model's output for training", decoder.dtype, "sequence")
    replay = decoder.begin(cast("LongTensor", batch.input_ids.to(decoder.device)))
    hidden = replay.hidden
    streams: list[Tensor] = []
    # Where no logits are wanted, nothing above the highest gap is either.
    for index in range(decoder.depth if wanted.top else max(wanted.streams) + 1):
        job.check()
        hidden = decoder.run_block(index, hidden, replay)
        if index in wanted.streams:
            streams.append(hidden.to("cpu", decoder.dtype))
    logits: tuple[Tensor, ...] = ()
    if wanted.top:
        width = slice_width(decoder, hidden)
        parts = []
        for start in range(0, hidden.shape[1], width):
            job.check()
            part_logits = decoder.logits(hidden[:, start : start + width], replay)
            job.check()
            reader.check(part_logits, sequences, start)
            kept = top_of(part_logits, wanted.top)
            parts.append(tuple(part.cpu() for part in kept))
        ids, differences, rest = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        logits = (differences, ids, rest)
    for row, length in enumerate(batch.lengths.tolist()):
        for part in (*logits, *streams):
            file.write(part[row, :length].contiguous().flatten().view(torch.uint8).numpy().data)
