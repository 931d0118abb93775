"""A model of Llama-3.1-8B's shape with random weights on one device: how long each kind of work takes, and
its peak memory beside what arithmetic says it needs: the weights, one batch in a block, the states kept.

    PYTHONPATH=python/src:bench python bench/gpu/eight_billion.py [--device cuda] [--shape tiny] [--only LoRA]

Needs no network and no pyzmq: PyTorch, transformers, accelerate, peft, safetensors, msgspec, and gguf for
loading the export again. A step that fails prints its error and the rest goes on; what is left at `--seconds`
is given up. The export keeps `--export-blocks` blocks, since a gigabyte takes seconds to write and digest.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import LongTensor
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

from depthkit_worker.contract.wire import (
    EmulatedUpdateOptions,
    EngineOptions,
    ExportOptions,
    GenerateOptions,
    InfluenceOptions,
    LoraOptions,
    LowRankOptions,
    ModelOptions,
    PerplexityOptions,
    RepairFitOptions,
    TrainingOptions,
)
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.data.stream import make_stream
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.perplexity import perplexity
from depthkit_worker.export.huggingface import export_huggingface
from depthkit_worker.export.verify import fixed_batch, logits_of
from depthkit_worker.influence.static import static_influence
from depthkit_worker.memory.allocator import release
from depthkit_worker.memory.peaks import PeakMemory
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.kv_cache import kv_bytes_per_token
from depthkit_worker.models.quiet import quiet_transformers
from depthkit_worker.models.source import Source
from depthkit_worker.models.stream_updates import root_mean_square_norm
from depthkit_worker.models.units import Unit
from depthkit_worker.profiling.workload import synchronize
from depthkit_worker.repair.fitting import Base, Fill
from depthkit_worker.repair.gap_streams import STATES, each, fit_gaps
from depthkit_worker.repair.gaps import Gap
from depthkit_worker.repair.host_sums import host_sums
from depthkit_worker.repair.least_squares import GapRegression
from depthkit_worker.repair.methods import fit_repairs
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.head import TILE_BYTES
from depthkit_worker.subnetworks.masks import Subnetworks
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from random_corpus import random_corpus

SHAPES: dict[str, dict[str, Any]] = {
    "8b": {
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
    },
    "tiny": {
        "hidden_size": 64,
        "intermediate_size": 224,
        "num_hidden_layers": 8,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 512,
    },
}
GOAL = 1.15
FP64 = 8
SKIP = 4
MATRICES = 8
"""fp64 (hidden, hidden) that solving one gap holds: two sums, their spread and cross, and what is made of
them."""


class Deadline(Unattended):
    """Gives the work up when its time is over."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        if time.monotonic() > self._end:
            raise cancelled()


@dataclass
class Bench:
    decoder: Decoder
    corpus: Corpus
    job: Deadline
    folder: Path
    export_blocks: int

    @property
    def weights(self) -> int:
        return sum(parameter.nbytes for parameter in self.decoder.model.parameters())

    @property
    def state(self) -> int:
        """Bytes of one state of the whole corpus, which is one batch."""
        return self.corpus.tokens * self.decoder.hidden_size * self.decoder.dtype.itemsize

    def one_batch(self, tokens: int | None = None) -> int:
        """Weights and a batch in a block: its feed-forward's three products, and the stream four times."""
        config = self.decoder.config
        numbers = 3 * config.intermediate_size + 4 * config.hidden_size
        batch = int(numbers) * (tokens or self.corpus.tokens) * self.decoder.dtype.itemsize
        return self.weights + batch

    @property
    def tile(self) -> int:
        """Logits of a tile, in fp32 and in the model's dtype."""
        return TILE_BYTES["cuda"] * 3 // 2

    @property
    def matrix(self) -> int:
        return self.decoder.hidden_size**2 * FP64

    @property
    def gaps(self) -> tuple[Gap, ...]:
        return tuple(Gap("block", index, index) for index in range(self.decoder.depth))

    def base(self, units: tuple[Unit, ...] = (), apart: tuple[Gap, ...] = ()) -> Base:
        options = RepairFitOptions(skip_tokens=SKIP, batch_size=self.corpus.sequences)
        return Base(Subnetwork(self.decoder, units), self.corpus, options, apart)


Step = Callable[[Bench], tuple[int, str]]
"""Bytes by arithmetic, and what came out."""


def influence(bench: Bench) -> tuple[int, str]:
    options = InfluenceOptions(batch_size=bench.corpus.sequences)
    found = static_influence(bench.decoder, bench.corpus, options, bench.job)
    return bench.one_batch() + 4 * bench.state, f"mean {float(found.values.mean()):.4f}"


def score(bench: Bench, kept: NDArray[np.bool_]) -> tuple[int, str]:
    units = tuple(Unit("block", index) for index in range(bench.decoder.depth))
    options = EngineOptions(batch_size=bench.corpus.sequences)
    found = evaluate_subnetworks(
        bench.decoder, bench.corpus, Subnetworks(units, kept), ("loss",), options, bench.job
    )
    told = f"{found.block_evaluations:.0f} blocks, {found.distinct} heads, {found.states} states"
    if found.notes:
        told += f"; {'; '.join(found.notes)}"
    return bench.one_batch() + found.states * bench.state + bench.tile, told


def leave_one_out(bench: Bench) -> tuple[int, str]:
    return score(bench, ~np.eye(bench.decoder.depth, dtype=np.bool_))


def coalitions(bench: Bench) -> tuple[int, str]:
    """64 of a game: two permutations, from the whole model down."""
    depth = bench.decoder.depth
    rows: list[NDArray[np.bool_]] = []
    for seed in itertools.count():
        kept = np.ones(depth, dtype=np.bool_)
        for unit in np.random.default_rng(seed).permutation(depth):
            rows.append(kept.copy())
            kept[unit] = False
        if len(rows) >= 64:
            return score(bench, np.array(rows[:64]))
    raise AssertionError


def emulated_updates(bench: Bench) -> tuple[int, str]:
    """Of all gaps in one pass: means alone."""
    base = bench.base(apart=bench.gaps)
    _, report = fit_repairs(base, EmulatedUpdateOptions(), lambda _: None, bench.job)
    return bench.one_batch() + STATES * bench.state, f"{len(report.repairs)} gaps"


def statistics(bench: Bench) -> tuple[int, str]:
    """Second moments of all gaps in one pass, with those that would choose the ridge."""

    base = bench.base(apart=bench.gaps)
    host = host_sums(base, len(bench.gaps), choosing=True)

    def watch(gap: Gap) -> GapRegression:
        return GapRegression(gap, lambda x: root_mean_square_norm(x, 1e-5), choosing=True, host=host)

    def fill(gap: Gap, regression: GapRegression) -> Fill:
        assert bool(regression.rest.dd.isfinite())
        return Fill(gap.units, {})

    made = fit_gaps(base, bench.gaps, "dense", each(watch), fill, bench.job)
    # Two products of one gap at a time are all that has to be there.
    return bench.one_batch() + STATES * bench.state + 2 * bench.matrix, f"{len(made)} gaps"


def low_rank(bench: Bench) -> tuple[int, str]:
    depth = bench.decoder.depth
    units = tuple(Unit("block", index) for index in (depth // 4, depth // 2, depth - 2))
    _, report = fit_repairs(bench.base(units), LowRankOptions(ridge=0.01), lambda _: None, bench.job)
    errors = ", ".join(f"{gap.repaired_error:.3f}" for gap in report.gaps)
    return bench.one_batch() + STATES * bench.state + MATRICES * bench.matrix, f"errors {errors}"


def lora(bench: Bench) -> tuple[int, str]:
    """20 steps over a model without a quarter of its blocks, activations computed again."""
    depth = bench.decoder.depth
    units = tuple(Unit("block", index) for index in range(depth // 2, depth // 2 + depth // 4))
    training = TrainingOptions(
        steps=20, batch_size=4, activation_checkpointing=True, validation=2, validate_every=20
    )
    _, report = fit_repairs(bench.base(units), LoraOptions(training=training), lambda _: None, bench.job)
    assert report.training is not None
    tokens = 4 * bench.corpus.length
    states = (depth - len(units)) * bench.state * tokens // bench.corpus.tokens
    # In fp32: value, gradient, two moments, where it started and the best.
    adapters = report.training.trained * 4 * 6
    first, last = (report.training.points[place].objective for place in (1, -1))
    told = f"{report.training.trained / 1e6:.1f} M trained, objective {first:.4f} to {last:.4f}"
    return bench.one_batch(tokens) + states + adapters, told


def text_perplexity(bench: Bench) -> tuple[int, str]:
    options = PerplexityOptions(chunk=bench.corpus.length, bos="never", batch_size=8)
    text = " ".join(f"t{token}" for token in bench.corpus.ids.tolist())
    stream = make_stream(tokeniser_of(bench.decoder), texts_from_strings([text]), options, bench.job)
    found = perplexity(Subnetwork(bench.decoder), stream, options, bench.job)
    tokens = 8 * bench.corpus.length
    return bench.one_batch(tokens) + bench.tile, f"loss {found.loss:.4f} over {found.tokens_scored} tokens"


def generation(bench: Bench) -> tuple[int, str]:
    prompts = [" ".join(f"t{token}" for token in bench.corpus.row(row)[:32].tolist()) for row in range(4)]
    options = GenerateOptions(max_new_tokens=32, batch_size=len(prompts))
    found = generate(Subnetwork(bench.decoder), prompts, options, bench.job)
    written = sum(len(one.token_ids) for one in found.generations)
    cache = len(prompts) * (32 + options.max_new_tokens) * kv_bytes_per_token(bench.decoder)
    return bench.one_batch(
        len(prompts) * 32
    ) + cache, f"{written} tokens, {written / found.seconds:.0f} per s"


def export(bench: Bench) -> tuple[int, str]:
    made = export_huggingface(_kept(bench), bench.folder / "export", ExportOptions(), bench.job)
    size = sum(file.bytes for file in made.files)
    largest = max(parameter.nbytes for parameter in bench.decoder.model.parameters())
    # Files are compared one module at a time, and the widest embedding in fp64, a piece at a time.
    return bench.weights + largest, f"{size / 1e9:.2f} GB, differs by {made.max_logit_difference}"


def load_back(bench: Bench) -> tuple[int, str]:
    from depthkit_worker.models.load import load_model

    options = ModelOptions(dtype="bfloat16", device=str(bench.decoder.device))
    loaded = load_model(str(bench.folder / "export"), bench.folder, options, bench.job)
    ids = fixed_batch(bench.decoder)
    with removed(_kept(bench)):
        expected = logits_of(bench.decoder.model, ids)
    differs = float((logits_of(loaded.model, ids) - expected).abs().max())
    loaded_bytes = sum(parameter.nbytes for parameter in loaded.model.parameters())
    return bench.weights + loaded_bytes, f"{loaded_bytes / 1e9:.2f} GB, logits differ by {differs:.2g}"


def _kept(bench: Bench) -> Subnetwork:
    """The model without the blocks in its middle that are over the number."""
    gone = max(0, bench.decoder.depth - bench.export_blocks)
    first = bench.export_blocks // 2
    return Subnetwork(bench.decoder, tuple(Unit("block", index) for index in range(first, first + gone)))


STEPS: dict[str, Step] = {
    "influence": influence,
    "leave-one-out": leave_one_out,
    "64 coalitions": coalitions,
    "emulated updates": emulated_updates,
    "gap statistics": statistics,
    "low-rank, 3 gaps": low_rank,
    "LoRA, 20 steps": lora,
    "perplexity": text_perplexity,
    "generation": generation,
    "export": export,
    "load back": load_back,
}


def build(shape: dict[str, Any], device: torch.device) -> Decoder:
    config = LlamaConfig(
        **shape,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 500000.0},
        bos_token_id=0,
        eos_token_id=1,
        tie_word_embeddings=False,
    )
    torch.manual_seed(0)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    model.eval().requires_grad_(False)
    vocabulary = {f"t{number}": number for number in range(shape["vocab_size"])}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="t0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="t0")
    return Decoder(model, tokenizer, Source("random weights", None, None, "0" * 64, "bfloat16"))


def run(name: str, work: Callable[[], tuple[int, str]], device: torch.device) -> str:
    gc.collect()
    release(device)
    on_device, on_host = PeakMemory(device), PeakMemory(torch.device("cpu"))
    started = time.perf_counter()
    try:
        arithmetic, told = work()
        synchronize(device)
    except DepthkitError as error:
        return f"{name:17} {time.perf_counter() - started:6.1f} s  {error.code}: {error.message}"
    except Exception as error:
        traceback.print_exc()
        return f"{name:17} {time.perf_counter() - started:6.1f} s  {type(error).__name__}: {error}"
    line = f"{name:17} {time.perf_counter() - started:6.1f} s  "
    if device.type == "cuda":
        peak = on_device.bytes()
        line += f"peak {peak / 1e9:6.2f} GB  arithmetic {arithmetic / 1e9:6.2f} GB  x{peak / arithmetic:.2f}"
        line += "       " if peak <= GOAL * arithmetic else " (over)"
    # A process's own peak on CPU is mostly its libraries: nothing to hold arithmetic against.
    return f"{line}  host {on_host.bytes() / 1e9:5.2f} GB  {told}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", choices=SHAPES, default="8b")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--corpus", help="SEQUENCESxTOKENS, one batch")
    parser.add_argument("--only", default="", help="steps whose names hold this")
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--export-blocks", type=int, default=8)
    parser.add_argument("--folder", type=Path, help="where the export is written; gone afterwards")
    given = parser.parse_args()
    quiet_transformers()
    job, device = Deadline(given.seconds), torch.device(given.device)
    shape = SHAPES[given.shape]
    sequences, length = map(int, (given.corpus or ("16x512" if given.shape == "8b" else "16x32")).split("x"))
    corpus = random_corpus(shape["vocab_size"], sequences, length)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    made: list[Decoder] = []

    def make() -> tuple[int, str]:
        made.append(build(shape, device))
        weights = sum(parameter.nbytes for parameter in made[0].model.parameters())
        return weights, f"{made[0].parameters / 1e9:.2f} billion parameters"

    print(f"{given.shape}, {where}, torch {torch.__version__}, {sequences} x {length} tokens", flush=True)
    rows = [run("build", make, device)]
    print(rows[-1], flush=True)
    # The first products of a process load kernels and take workspaces, which are no step's.
    made[0].model(cast("LongTensor", torch.zeros(1, 8, dtype=torch.int64, device=device)))
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        bench = Bench(made[0], corpus, job, Path(folder), given.export_blocks)
        for name, step in STEPS.items():
            if given.only in name:
                rows.append(run(name, partial(step, bench), device))
                print(rows[-1], flush=True)
    print("\n" + "\n".join(rows), flush=True)


if __name__ == "__main__":
    main()
