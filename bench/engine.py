"""The engine against one plain forward a subnetwork, and against the limit, in one run.

Published way: transformers' own forward with the removed units out of the model, logits of all
positions and the loss from them, once per subnetwork, in a process of its own. Limit: distinct block
evaluations times the time of one, plus distinct heads times the time of one. Plain forwards and single
blocks and heads run between the engine's own steps, so that a busy machine slows all of them alike.

    PYTHONPATH=python/src python bench/engine.py MODEL_FOLDER [TEXTS.jsonl] [--shape 4x128] [--seconds 60] \\
        [--device cuda] [--dtype bfloat16] [--only "30 blocks;halves"]

Without texts, which need a tokenizer, the tokens are drawn. On a GPU each line ends with what the same blocks
and heads would cost in a full batch, 32,768 tokens at a time: what the arithmetic allows little text.

`--seconds` stops a workload after that much engine time; the rest is then put down at the speed so
far, by the work the plan says is left, and the table shows the share that was run.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import LongTensor, nn
from transformers import AutoModelForCausalLM, AutoTokenizer

from depthkit_worker.contract.wire import CorpusOptions, EngineOptions, Measure
from depthkit_worker.data.corpus import Corpus, make_corpus
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.errors import DepthkitError
from depthkit_worker.memory.batch_sizes import GPU_TOKENS
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.onednn import OneDnnLinear
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.profiling.workload import synchronize, timed
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.engine import EngineResult, evaluate_subnetworks
from depthkit_worker.subnetworks.executor import Evaluation
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.head import Head
from depthkit_worker.subnetworks.masks import Subnetworks, block_codes
from depthkit_worker.subnetworks.plan import make_plan
from depthkit_worker.subnetworks.positions import ALL_POSITIONS, scored_rows
from depthkit_worker.subnetworks.scoring import Scorer
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from random_corpus import random_corpus

LOSS: tuple[Measure, ...] = ("loss",)
SAMPLES = 20
"""About how many plain forwards a workload is compared with, spread over its run."""


@dataclass
class Clock:
    """Wall and processor seconds of one kind of work."""

    device: torch.device
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def time(self, work: Callable[[], object]) -> None:
        synchronize(self.device)
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        synchronize(self.device)
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)


class Watch(Unattended):
    """Times the engine from the inside, pausing its clock for what runs in between."""

    def __init__(
        self, between: Callable[[], None], seconds: float, every: float, device: torch.device
    ) -> None:
        self.engine = Clock(device)
        self.longest = 0.0
        self.done = 0
        self._between, self._seconds, self._every = between, seconds, every
        self._since_between = 0.0
        self._started = (time.perf_counter(), time.process_time())

    def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
        self.done = done

    def check(self) -> None:
        now = (time.perf_counter(), time.process_time())
        wall, cpu = now[0] - self._started[0], now[1] - self._started[1]
        self.engine.wall.append(wall)
        self.engine.cpu.append(cpu)
        self.longest = max(self.longest, cpu / torch.get_num_threads())
        self._since_between += wall
        if self._since_between > self._every:
            self._since_between = 0.0
            self._catch_up(now)
            self._between()
        self._started = (time.perf_counter(), time.process_time())
        if sum(self.engine.wall) > self._seconds:
            raise cancelled()

    def _catch_up(self, since: tuple[float, float]) -> None:
        """What the device has still to do of the engine's work counts as the engine's."""
        synchronize(self.engine.device)
        self.engine.wall[-1] += time.perf_counter() - since[0]
        self.engine.cpu[-1] += time.process_time() - since[1]


def walks(units: int, count: int, length: int, seed: int) -> NDArray[np.bool_]:
    """Random removal walks: a row for every step of each, and one for the whole model."""
    generator = np.random.default_rng(seed)
    rows = [np.ones(units, dtype=np.bool_)]
    for _ in range(count):
        kept = np.ones(units, dtype=np.bool_)
        for unit in generator.permutation(units)[:length]:
            kept = kept.copy()
            kept[unit] = False
            rows.append(kept)
    return np.array(rows)


def random_sets(units: int, count: int, keep: int, seed: int) -> NDArray[np.bool_]:
    generator = np.random.default_rng(seed)
    return np.array([generator.permutation(units) < keep for _ in range(count)])


Workload = tuple[Subnetworks, float]


def workloads(depth: int) -> dict[str, Workload]:
    """Each with the speed-up to show."""
    blocks = tuple(Unit("block", index) for index in range(depth))
    sublayers = tuple(Unit(kind, index) for index in range(depth) for kind in UNIT_KINDS[1:])
    return {
        "leave-one-out, 30 blocks": (Subnetworks(blocks, ~np.eye(len(blocks), dtype=np.bool_)), 1.85),
        "8 permutation walks": (Subnetworks(blocks, walks(depth, 8, depth, 1)), 1.8),
        "40 removal walks of 12": (Subnetworks(blocks, walks(depth, 40, 12, 2)), 2.1),
        "600 random of 22 blocks": (Subnetworks(blocks, random_sets(depth, 600, 22, 3)), 1.45),
        "256 random halves": (Subnetworks(blocks, random_sets(depth, 256, depth // 2, 4)), 1.25),
        "leave-one-out, 60 sublayers": (Subnetworks(sublayers, ~np.eye(len(sublayers), dtype=np.bool_)), 1.8),
    }


def load(folder: Path, device: torch.device, dtype: torch.dtype) -> Decoder:
    return Decoder(AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval().to(device))


def read_corpus(folder: Path, decoder: Decoder, path: Path, sequences: int, length: int) -> Corpus:
    decoder.tokenizer = AutoTokenizer.from_pretrained(folder)
    texts = [json.loads(line)["text"] for line in path.read_text().splitlines()[:2000]]
    options = CorpusOptions(length=length, sequences=sequences)
    return make_corpus(tokeniser_of(decoder), texts_from_strings(texts), options, Unattended())


@torch.inference_mode()
def plain_forwards(
    folder: Path,
    threads: int,
    device: torch.device,
    dtype: torch.dtype,
    ids: LongTensor,
    requests: Connection,
) -> None:
    """The published way, in a process that nothing of the engine has touched: for each list of units that
    comes in, the loss of one forward with them removed, and its wall and processor seconds."""
    torch.set_num_threads(threads)
    decoder = load(folder, device, dtype)
    for module in decoder.model.modules():
        if isinstance(module, OneDnnLinear):
            module.__class__ = nn.Linear  # type: ignore[assignment] # as it is published
    layers = decoder.blocks
    ids = cast("LongTensor", ids.to(device))
    while True:
        gone: list[Unit] = requests.recv()
        blocks = {unit.index for unit in gone if unit.kind == "block"}
        clock = Clock(device)
        losses: list[float] = []
        with removed(Subnetwork(decoder, tuple(unit for unit in gone if unit.kind != "block"))):
            # Llama's name for its list of blocks.
            decoder.model.model.layers = nn.ModuleList(
                [block for index, block in enumerate(layers) if index not in blocks]
            )
            plain = functools.partial(decoder.model, input_ids=ids, labels=ids, use_cache=False)
            clock.time(lambda: losses.append(float(plain().loss)))  # noqa: B023
            decoder.model.model.layers = layers
        requests.send((losses[0], clock.wall[0], clock.cpu[0]))


class Yardsticks:
    """The plain forward, one block and one head, timed."""

    def __init__(self, decoder: Decoder, corpus: Corpus, subnetworks: Subnetworks, plain: Connection) -> None:
        self.decoder, self.subnetworks = decoder, subnetworks
        batch = next(corpus.batches(corpus.sequences))
        self._plain = plain
        self.plain, self.block, self.head = (Clock(decoder.device) for _ in range(3))
        self.losses: dict[int, float] = {}
        rows = np.random.default_rng(5).permutation(len(subnetworks.kept))
        self._rows = itertools.cycle(rows.tolist())
        self._blocks = itertools.cycle(range(decoder.depth))
        self._replay = decoder.begin(cast("LongTensor", batch.input_ids.to(decoder.device)))
        self._states = [self._replay.hidden]
        for index in range(decoder.depth):
            self._states.append(decoder.run_block(index, self._states[-1], self._replay))
        self._scorer = Scorer(Head(decoder), scored_rows(batch, ALL_POSITIONS, LOSS), None, lambda: None)

    def run(self) -> None:
        row = next(self._rows)
        kept = self.subnetworks.kept[row]
        self._plain.send(
            [unit for unit, stays in zip(self.subnetworks.units, kept, strict=True) if not stays]
        )
        self.losses[row], wall, cpu = self._plain.recv()
        self.plain.wall.append(wall)
        self.plain.cpu.append(cpu)
        for _ in range(3):
            self.block.time(functools.partial(self._run_block, next(self._blocks)))
        self.head.time(lambda: self._scorer.score([self._scorer.read(self._states[-1])]))

    def _run_block(self, index: int) -> None:
        self.decoder.run_block(index, self._states[index], self._replay)


@dataclass(frozen=True)
class FullBatch:
    """Seconds for one token where a GPU has enough of them."""

    block: float
    head: float


@torch.inference_mode()
def full_batch(decoder: Decoder) -> FullBatch:
    corpus = random_corpus(decoder.vocabulary_size, GPU_TOKENS // 128, 128)
    batch = next(corpus.batches(corpus.sequences))
    replay = decoder.begin(cast("LongTensor", batch.input_ids.to(decoder.device)))
    scorer = Scorer(Head(decoder), scored_rows(batch, ALL_POSITIONS, LOSS), None, lambda: None)
    places = itertools.cycle(range(decoder.depth))
    block, head = (
        statistics.median([timed(decoder.device, work) for _ in range(12)][2:]) / corpus.tokens
        for work in (
            lambda: decoder.run_block(next(places), replay.hidden, replay),
            lambda: scorer.score([scorer.read(replay.hidden)]),
        )
    )
    return FullBatch(block, head)


@torch.inference_mode()
def run(
    decoder: Decoder,
    corpus: Corpus,
    name: str,
    work: Workload,
    plain: Connection,
    seconds: float,
    full: FullBatch | None,
) -> None:
    subnetworks, goal = work
    options = EngineOptions(batch_size=corpus.sequences)
    codes = block_codes(subnetworks, decoder.depth, decoder.family).codes
    evaluation = Evaluation(np.unique(codes, axis=0), LOSS, ALL_POSITIONS)
    plan = make_plan(decoder, corpus, evaluation, corpus.sequences, None)
    sticks = Yardsticks(decoder, corpus, subnetworks, plain)
    sticks.run()
    for clock in (sticks.plain, sticks.block, sticks.head):  # the first of each warms up
        clock.wall.clear()
        clock.cpu.clear()
    every = min(seconds, 2 * len(subnetworks.kept)) / SAMPLES
    watch = Watch(sticks.run, seconds, every, decoder.device)
    values: dict[int, float] = {}
    heads_done = 0

    def on_values(
        rows: NDArray[np.int64], found: NDArray[np.float64], _counts: tuple[int, ...], _own: object
    ) -> None:
        nonlocal heads_done
        heads_done += 1
        values.update(zip(rows.tolist(), found[:, 0].tolist(), strict=True))

    result: EngineResult | None = None
    try:
        result = evaluate_subnetworks(decoder, corpus, subnetworks, LOSS, options, watch, on_values)
    except DepthkitError as error:
        if error.code != "CANCELLED":
            raise
    both = values.keys() & sticks.losses.keys()
    worst = max((abs(values[row] / sticks.losses[row] - 1) for row in both), default=float("nan"))
    line = [f"{name:28}"]
    for kind in ("wall", "cpu"):
        # Means, since whole costs are compared.
        forward, block, head = (
            statistics.fmean(getattr(clock, kind)) for clock in (sticks.plain, sticks.block, sticks.head)
        )
        limit = plan.evaluations * block + plan.heads * head
        engine = sum(getattr(watch.engine, kind))
        share = 1.0
        if result is None:
            blocks_done = watch.done - heads_done * plan.head_cost
            share = (blocks_done * block + heads_done * head) / limit
            engine /= share
        published = forward * len(subnetworks.kept)
        line.append(
            f"{kind} x{published / engine:.2f} limit {engine / limit:.3f}"
            f" (engine {engine:.1f} s, published {published:.1f} s, block {block * 1e3:.1f} ms,"
            f" head {head / block:.1f} blocks)"
        )
    if full is not None:
        allowed = (plan.evaluations * full.block + plan.heads * full.head) * corpus.tokens
        line.append(f"x{sum(watch.engine.wall) / share / allowed:.2f} of what a full batch's pace allows")
    line.append(
        f"goal x{goal} | {len(subnetworks.kept)} asked, {plan.heads:.0f} distinct, {plan.evaluations:.1f} "
        f"blocks, {plan.states} states, run {share:.0%}, {len(sticks.plain.wall)} plain, worst loss "
        f"difference {worst:.1e}, longest without a check {watch.longest * 1e3:.0f} ms"
    )
    print("\n  ".join(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("texts", type=Path, nargs="?")
    parser.add_argument("--shape", default="4x128")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--only", default="")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--dtype", default="float32")
    given = parser.parse_args()
    dtype: torch.dtype = getattr(torch, given.dtype)
    threads = given.threads or torch.get_num_threads()
    torch.set_num_threads(threads)
    decoder = load(given.model, given.device, dtype)
    sequences, length = map(int, given.shape.split("x"))
    if given.texts is None:
        corpus = random_corpus(decoder.vocabulary_size, sequences, length)
    else:
        corpus = read_corpus(given.model, decoder, given.texts, sequences, length)
    where = torch.cuda.get_device_name(given.device) if given.device.type == "cuda" else f"{threads} threads"
    print(f"{given.shape} tokens, {dtype}, {where}, torch {torch.__version__}", flush=True)
    ids = next(corpus.batches(sequences)).input_ids
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(
        target=plain_forwards, args=(given.model, threads, given.device, dtype, ids, there), daemon=True
    )
    child.start()
    full = full_batch(decoder) if given.device.type == "cuda" else None
    for name, work in workloads(decoder.depth).items():
        if any(part in name for part in given.only.split(";")):
            run(decoder, corpus, name, work, here, given.seconds, full)
    child.terminate()
    child.join()


if __name__ == "__main__":
    main()
