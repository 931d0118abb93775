"""What the worker computes on a CUDA device against the CPU, in all families. Where there is no such device
the folder is left out, and `conftest.py` says so."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
import torch
from msgspec import structs
from torch import nn
from transformers import LlamaConfig, PreTrainedModel, PreTrainedTokenizerBase

from depthkit_worker.contract.wire import (
    BiasOptions,
    EmulatedUpdateOptions,
    EngineOptions,
    ExportOptions,
    FoldOptions,
    GenerateOptions,
    InfluenceOptions,
    LoraOptions,
    LowRankOptions,
    ModelOptions,
    PatchOptions,
    PerplexityOptions,
    ProfileOptions,
    RepairFitOptions,
    RepairSaveOptions,
    ReplacementBlockOptions,
    TrainingPoint,
)
from depthkit_worker.data.stream import make_stream
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.data.tokens import Tokeniser
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.perplexity import perplexity
from depthkit_worker.evaluation.task_scores import task_scores
from depthkit_worker.export.huggingface import export_huggingface
from depthkit_worker.influence.static import static_influence
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.load import load_model
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.profiling.profile import profile
from depthkit_worker.repair import host_sums
from depthkit_worker.repair.bias import fit_bias
from depthkit_worker.repair.emulated_update import fit_emulated_update
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.repair.fold import fit_fold
from depthkit_worker.repair.lora import fit_lora
from depthkit_worker.repair.low_rank import fit_low_rank
from depthkit_worker.repair.patch import fit_patch
from depthkit_worker.repair.repair import Repair
from depthkit_worker.repair.replacement_block import fit_replacement_block
from depthkit_worker.repair.storage import load_repairs, save_repairs
from depthkit_worker.session.job import Job, Unattended
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.masks import Subnetworks
from depthkit_worker.subnetworks.positions import MEASURES
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from influence.builders import corpus_of, random_rows
from repair.builders import many_rows, repairs_of
from subnetworks.physical import random_masks
from task_items import random_task
from tiny import DEPTH, FAMILY_MODELS, SHAPE, random_model, tiny_model
from training.builders import ALL, SHORT, CancelAfter, curve, ignore

DEVICE = torch.device(os.environ.get("DEPTHKIT_GPU", "cuda:0"))
CPU = torch.device("cpu")
Result = TypeVar("Result")
UNITS = (Unit("block", 2), Unit("block", 3), Unit("attention", 4))
BLOCKS = UNITS[:2]
FITTING = RepairFitOptions(skip_tokens=1, batch_size=4)
TRAINING = structs.replace(SHORT, steps=4, learning_rate=1e-3, validation=2, validate_every=2)


def on(device: torch.device, name: str, tokenizer: PreTrainedTokenizerBase | None = None) -> Decoder:
    return Decoder(moved(tiny_model(name), device), tokenizer)


def moved(model: PreTrainedModel, device: torch.device) -> PreTrainedModel:
    nn.Module.to(model, device)  # transformers' own `to` has lost its types
    return model


def both(work: Callable[[torch.device], Result]) -> tuple[Result, Result]:
    return work(CPU), work(DEVICE)


def base_on(device: torch.device, name: str, units: tuple[Unit, ...] = UNITS) -> Base:
    return Base(Subnetwork(on(device, name), units), corpus_of(many_rows(12, 17)), FITTING)


def scores(base: Base, repairs: tuple[Repair, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    asked = Subnetworks(
        base.subnetwork.units, np.zeros((1, len(base.subnetwork.units)), dtype=np.bool_), repairs
    )
    return evaluate_subnetworks(
        base.decoder, base.corpus, asked, MEASURES, EngineOptions(), Unattended()
    ).values


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_the_engine(name: str) -> None:
    units = tuple(Unit(kind, index) for index in range(DEPTH) for kind in UNIT_KINDS)
    asked = Subnetworks(units, random_masks(24, len(units), keep=0.8))

    def work(device: torch.device) -> tuple[Any, ...]:
        decoder, corpus = on(device, name), corpus_of(random_rows(13, 13, 9, 13))
        of_text = [
            evaluate_subnetworks(
                decoder, corpus, asked, MEASURES, EngineOptions(batch_size=size), Unattended()
            ).values
            for size in (1, 4)
        ]
        of_task = evaluate_subnetworks(
            decoder, random_task(), asked, ("accuracy", "choice-loss"), EngineOptions(), Unattended()
        )
        return *of_text, of_task.values

    for here, there in zip(*both(work), strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_influences_perplexity_and_tasks(name: str, words: PreTrainedTokenizerBase) -> None:
    def work(device: torch.device) -> tuple[Any, ...]:
        decoder = on(device, name, words)
        influence = static_influence(
            decoder, corpus_of(random_rows(13, 9, 13)), InfluenceOptions(batch_size=2), Unattended()
        )
        text = " ".join(f"t{token}" for row in random_rows(200) for token in row)
        options = PerplexityOptions(chunk=32, stride=20, bos="never")
        stream = make_stream(Tokeniser(words), texts_from_strings([text]), options, Unattended())
        of_text = perplexity(Subnetwork(decoder, UNITS), stream, options, Unattended())
        of_task = task_scores(Subnetwork(decoder, UNITS), random_task(shots=20), Unattended())
        return influence.values, influence.angular, of_text.loss, np.concatenate(of_task.log_likelihoods)

    for here, there in zip(*both(work), strict=True):
        np.testing.assert_allclose(there, here, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_generation(name: str, words: PreTrainedTokenizerBase) -> None:
    def work(device: torch.device, options: GenerateOptions, prompts: list[str]) -> list[tuple[int, ...]]:
        result = generate(Subnetwork(on(device, name, words), UNITS), prompts, options, Unattended())
        return [one.token_ids for one in result.generations]

    prompts = ["t7 t30 t11 t54", "t80 t4 t66", "t9"]
    here, there = both(lambda device: work(device, GenerateOptions(max_new_tokens=8, batch_size=3), prompts))
    assert there == here
    assert work(DEVICE, GenerateOptions(max_new_tokens=8, cache=False), prompts) == here
    sampled = GenerateOptions(max_new_tokens=8, temperature=0.7, seed=3)
    assert work(DEVICE, sampled, prompts) == work(DEVICE, sampled, prompts)


def unskipped(base: Base) -> Base:
    return dataclasses.replace(base, options=structs.replace(FITTING, skip_tokens=0))


FITS: dict[str, tuple[tuple[Unit, ...], Callable[[Base], Fitted]]] = {
    "emulated-update": (UNITS, lambda base: fit_emulated_update(EmulatedUpdateOptions(), base, Unattended())),
    "emulated-update, pruned": (
        UNITS,
        lambda base: fit_emulated_update(EmulatedUpdateOptions(reference="pruned"), base, Unattended()),
    ),
    "low-rank": (
        UNITS,
        lambda base: fit_low_rank(LowRankOptions(rank=4, ridge=0.1), ignore, base, Unattended()),
    ),
    "fold": (BLOCKS, lambda base: fit_fold(FoldOptions(reference="dense", ridge=0.1), base, Unattended())),
    "patch": (
        UNITS,
        lambda base: fit_patch(PatchOptions(), ignore, unskipped(base), Unattended()),
    ),
    "bias": (UNITS, lambda base: fit_bias(BiasOptions(training=TRAINING), ignore, base, Unattended())),
    "low-rank, trained": (
        UNITS,
        lambda base: fit_low_rank(
            LowRankOptions(rank=4, ridge=0.1, training=TRAINING), ignore, base, Unattended()
        ),
    ),
    "replacement-block": (
        BLOCKS,
        lambda base: fit_replacement_block(
            ReplacementBlockOptions(training=TRAINING), ignore, base, Unattended()
        ),
    ),
    "lora": (
        UNITS,
        lambda base: fit_lora(
            LoraOptions(rank=3, alpha=6.0, targets=("attention", "feed-forward"), training=TRAINING),
            ignore,
            base,
            Unattended(),
        ),
    ),
}


@pytest.mark.parametrize("method", FITS)
@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_repairs(name: str, method: str) -> None:
    units, fit = FITS[method]

    def work(device: torch.device) -> tuple[Any, Any] | str:
        base = base_on(device, name, units)
        before = weights_checksum(base.decoder)
        try:
            fitted = fit(base)
        except DepthkitError as error:
            assert error.code == "INVALID_ARGUMENT"
            return error.message
        assert weights_checksum(base.decoder) == before
        gaps = [(gap.repaired_error, gap.repaired_error_all) for gap in fitted.gaps]
        return scores(base, repairs_of(base, fitted)), gaps

    here, there = both(work)
    if isinstance(here, str) or isinstance(there, str):
        assert here == there
        return
    # Adam divides by the size of a gradient: where that is next to nothing, the rounding decides.
    tolerance = 2e-3 if method in ("bias", "low-rank, trained", "replacement-block", "lora") else 1e-4
    for one, other in zip(here, there, strict=True):
        np.testing.assert_allclose(other, one, rtol=tolerance, atol=1e-5)


@pytest.mark.parametrize("method", ["low-rank", "fold", "patch"])
def test_sums_added_up_in_main_memory(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where there are many wide gaps."""
    units, fit = FITS[method]
    base = base_on(DEVICE, "llama", units)
    beside = fit(base)
    monkeypatch.setattr(host_sums, "DEVICE_BYTES", 0)
    assert DEVICE.type == "cpu" or host_sums.host_sums(base, len(units)) is not None
    apart = fit(base)
    for one, other in zip(beside.gaps, apart.gaps, strict=True):
        assert other.repaired_error == pytest.approx(one.repaired_error, rel=1e-6)
    np.testing.assert_allclose(
        scores(base, repairs_of(base, apart)), scores(base, repairs_of(base, beside)), rtol=1e-5
    )


def test_repairs_travel_between_devices(tmp_path: Path) -> None:
    """Made on one device, saved, loaded on another."""
    base = base_on(DEVICE, "llama")
    made = repairs_of(base, FITS["low-rank"][1](base))
    save_repairs(
        Subnetwork(base.decoder, base.subnetwork.units, made),
        tmp_path / "repairs",
        RepairSaveOptions(),
        Unattended(),
    )
    there = base_on(CPU, "llama")
    loaded = load_repairs(there.decoder, tmp_path / "repairs").repairs
    np.testing.assert_allclose(scores(there, loaded), scores(base, made), rtol=1e-4)


@pytest.mark.parametrize("method", ["replacement-block", "lora"])
def test_a_stopped_training_resumes_to_the_same_curve(method: str, tmp_path: Path) -> None:
    """With dropout, whose random numbers are the device's."""

    def train(folder: Path, job: Job) -> list[tuple[object, ...]]:
        points: list[TrainingPoint] = []
        options = structs.replace(TRAINING, steps=8, objective=ALL, folder=str(folder), save_every=1)
        base = base_on(DEVICE, "llama", BLOCKS)
        if method == "lora":
            fit_lora(LoraOptions(rank=3, alpha=6.0, dropout=0.2, training=options), points.append, base, job)
        else:
            fit_replacement_block(ReplacementBlockOptions(training=options), points.append, base, job)
        return curve(points)

    whole = train(tmp_path / "whole", Unattended())
    with pytest.raises(DepthkitError) as stopped:
        train(tmp_path / "parts", CancelAfter(101))
    assert stopped.value.code == "CANCELLED"
    rest = train(tmp_path / "parts", Unattended())
    assert 0 < len(rest) < len(whole)
    for one, other in zip(rest, whole[-len(rest) :], strict=True):
        np.testing.assert_allclose(np.array(one, dtype=float), np.array(other, dtype=float), rtol=1e-4)


@pytest.mark.parametrize("method", ["bias", "low-rank, trained", "replacement-block", "lora"])
def test_training_beside_bf16_weights(method: str) -> None:
    """The device multiplies in bf16, what is trained stays in fp32 and moves."""
    decoder = Decoder(moved(random_model(LlamaConfig(**SHAPE), dtype=torch.bfloat16), DEVICE))
    base = dataclasses.replace(base_on(DEVICE, "llama", BLOCKS), subnetwork=Subnetwork(decoder, BLOCKS))
    fitted = FITS[method][1](base)
    assert fitted.training is not None and fitted.training.change > 0
    assert np.isfinite(scores(base, repairs_of(base, fitted))).all()


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_an_export_is_verified_and_loads(name: str, words: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    base = base_on(DEVICE, name)
    base.decoder.tokenizer = words
    repairs = repairs_of(base, FITS["emulated-update"][1](base))
    export_huggingface(
        Subnetwork(base.decoder, UNITS, repairs), tmp_path / "own", ExportOptions(), Unattended()
    )
    export_huggingface(Subnetwork(base.decoder, BLOCKS), tmp_path / "plain", ExportOptions(), Unattended())
    options = ModelOptions(dtype="float32", device=str(DEVICE))
    loaded = load_model(str(tmp_path / "plain"), tmp_path, options, Unattended())
    assert loaded.device.type == DEVICE.type and loaded.depth == DEPTH - 2


def test_a_profile_counts_what_the_device_allocates() -> None:
    options = ProfileOptions(prompt_tokens=24, context_tokens=8, new_tokens=3, batch_sizes=(1, 4), rounds=2)
    made = profile(Subnetwork(on(DEVICE, "llama"), UNITS), options, Unattended())
    assert made.memory_counted_by == ("allocator" if DEVICE.type == "cuda" else "tensors")
    assert all(model.working_bytes > 0 for model in made.models)


@pytest.mark.skipif(DEVICE.type != "cuda", reason="a limit on the memory of a CUDA device")
def test_out_of_memory_halves_the_batch_and_goes_on() -> None:
    decoder = Decoder(
        moved(random_model(LlamaConfig(**SHAPE | {"vocab_size": 4096, "hidden_size": 256})), DEVICE)
    )
    corpus = corpus_of(many_rows(64, 128))
    asked = Subnetworks(BLOCKS, random_masks(6, 2, keep=0.8))
    options = EngineOptions(batch_size=64)
    whole = evaluate_subnetworks(decoder, corpus, asked, ("loss", "kl"), options, Unattended())
    total = torch.cuda.get_device_properties(DEVICE).total_memory
    torch.cuda.empty_cache()
    limit = torch.cuda.memory_allocated(DEVICE) + 80 * 2**20
    torch.cuda.set_per_process_memory_fraction(limit / total, DEVICE)
    try:
        little = evaluate_subnetworks(decoder, corpus, asked, ("loss", "kl"), options, Unattended())
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, DEVICE)
    assert whole.notes == () and little.notes[0].startswith("out of memory with 64 sequences per batch"), (
        little.notes
    )
    np.testing.assert_allclose(little.values, whole.values, rtol=1e-5)
