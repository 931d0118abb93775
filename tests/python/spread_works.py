"""What must come out the same wherever a model's blocks lie: every kind of work, as plain numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import structs

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
    PatchOptions,
    PerplexityOptions,
    RepairFitOptions,
    RepairMethod,
    RepairSaveOptions,
    ReplacementBlockOptions,
    ScaleOptions,
    StreamOptions,
)
from depthkit_worker.data.stream import make_stream
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.data.tokens import Tokeniser
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.perplexity import perplexity
from depthkit_worker.evaluation.task_scores import task_scores
from depthkit_worker.export.huggingface import export_huggingface
from depthkit_worker.influence.static import static_influence
from depthkit_worker.influence.stream import stream_measures
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.repair.fitting import Base
from depthkit_worker.repair.methods import fit
from depthkit_worker.repair.storage import load_repairs, save_repairs
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.masks import Subnetworks
from depthkit_worker.subnetworks.positions import MEASURES
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from influence.builders import corpus_of, random_rows
from repair.builders import many_rows, repairs_of
from subnetworks.physical import random_masks
from task_items import random_task
from training.builders import SHORT, ignore

FIRST = 3
"""Blocks on the first device."""
ACROSS = (Unit("block", 2), Unit("block", 3))
"""A gap that the border between the devices runs through."""
BEHIND = (Unit("block", 3), Unit("attention", 4), Unit("block", 5))
Work = Callable[[Decoder, Path], list[Any]]
TRAINING = structs.replace(SHORT, steps=3, learning_rate=1e-3, validation=2, validate_every=2)


def engine(decoder: Decoder, _folder: Path) -> list[Any]:
    units = tuple(Unit(kind, index) for index in range(decoder.depth) for kind in UNIT_KINDS)
    asked = Subnetworks(units, random_masks(24, len(units), keep=0.8))
    corpus = corpus_of(random_rows(13, 13, 9, 13))
    text = evaluate_subnetworks(decoder, corpus, asked, MEASURES, EngineOptions(), Unattended())
    task = evaluate_subnetworks(
        decoder, random_task(), asked, ("accuracy", "choice-loss"), EngineOptions(), Unattended()
    )
    return [text.values, task.values]


def influences(decoder: Decoder, _folder: Path) -> list[Any]:
    corpus = corpus_of(random_rows(13, 9, 13))
    found = static_influence(decoder, corpus, InfluenceOptions(batch_size=2, cosines=True), Unattended())
    stream = stream_measures(decoder, corpus, StreamOptions(batch_size=2), Unattended())
    return [found.values, found.angular, found.cosines, stream.values]


def evaluations(decoder: Decoder, _folder: Path) -> list[Any]:
    subnetwork = Subnetwork(decoder, BEHIND)
    text = " ".join(f"t{token}" for row in random_rows(200) for token in row)
    options = PerplexityOptions(chunk=32, stride=20, bos="never")
    assert decoder.tokenizer is not None
    stream = make_stream(Tokeniser(decoder.tokenizer), texts_from_strings([text]), options, Unattended())
    of_text = perplexity(subnetwork, stream, options, Unattended())
    of_task = task_scores(subnetwork, random_task(shots=20), Unattended())
    return [of_text.loss, np.concatenate(of_task.log_likelihoods)]


def generations(decoder: Decoder, _folder: Path) -> list[Any]:
    prompts = ["t7 t30 t11 t54", "t80 t4 t66", "t9"]
    found = []
    for options in (
        GenerateOptions(max_new_tokens=8, batch_size=3),
        GenerateOptions(max_new_tokens=6),
        GenerateOptions(max_new_tokens=4, cache=False),
    ):
        for units in ((), BEHIND):
            made = generate(Subnetwork(decoder, units), prompts, options, Unattended())
            found += [one.token_ids for one in made.generations]
    return found


def repairs(method: RepairMethod, units: tuple[Unit, ...] = ACROSS, skip: int = 1) -> Work:
    def work(decoder: Decoder, folder: Path) -> list[Any]:
        options = RepairFitOptions(skip_tokens=skip, batch_size=4)
        base = Base(Subnetwork(decoder, units), corpus_of(many_rows(12, 17)), options)
        before = weights_checksum(decoder)
        fitted = fit(base, method, ignore, Unattended())
        assert weights_checksum(decoder) == before
        made = repairs_of(base, fitted)
        save_repairs(Subnetwork(decoder, units, made), folder / "repairs", RepairSaveOptions(), Unattended())
        loaded = load_repairs(decoder, folder / "repairs").repairs
        found: list[Any] = [
            evaluate_subnetworks(
                decoder,
                base.corpus,
                Subnetworks(units, np.zeros((1, len(units)), dtype=np.bool_), each),
                MEASURES,
                EngineOptions(),
                Unattended(),
            ).values
            for each in (made, loaded)
        ]
        prompts = ["t7 t30 t11"]
        written = generate(
            Subnetwork(decoder, units, made), prompts, GenerateOptions(max_new_tokens=4), Unattended()
        )
        found.append(written.generations[0].token_ids)
        return [*found, [(gap.repaired_error, gap.repaired_error_all) for gap in fitted.gaps]]

    return work


def exports(decoder: Decoder, folder: Path) -> list[Any]:
    """Compared with the model in memory by the export itself."""
    options = RepairFitOptions(batch_size=4)
    found = []
    for name, units in (("own", BEHIND), ("plain", ACROSS)):
        base = Base(Subnetwork(decoder, units), corpus_of(many_rows(12, 17)), options)
        made = repairs_of(base, fit(base, EmulatedUpdateOptions(), ignore, Unattended()))
        subnetwork = Subnetwork(decoder, units, made)
        result = export_huggingface(subnetwork, folder / name, ExportOptions(), Unattended())
        found.append(result.max_logit_difference < 1e-4)
    narrow = Subnetwork(decoder, ACROSS)
    export_huggingface(narrow, folder / "narrow", ExportOptions(dtype="bfloat16"), Unattended())
    return found


WORKS: dict[str, Work] = {
    "engine": engine,
    "influences": influences,
    "evaluations": evaluations,
    "generations": generations,
    "emulated update": repairs(EmulatedUpdateOptions()),
    "emulated update, pruned": repairs(EmulatedUpdateOptions(reference="pruned"), BEHIND),
    "low rank": repairs(LowRankOptions(rank=4, ridge="auto")),
    "low rank, behind": repairs(LowRankOptions(rank=4, ridge=0.1), BEHIND),
    "fold": repairs(FoldOptions(ridge=0.1), (Unit("block", 3),)),
    "patch": repairs(PatchOptions(), skip=0),
    "scale": repairs(ScaleOptions()),
    "bias": repairs(BiasOptions(training=TRAINING)),
    "low rank, trained": repairs(LowRankOptions(rank=4, ridge=0.1, training=TRAINING), BEHIND),
    "replacement block": repairs(
        ReplacementBlockOptions(training=TRAINING), (Unit("block", 3), Unit("block", 4))
    ),
    "LoRA": repairs(
        LoraOptions(
            rank=3,
            targets=("attention", "feed-forward"),
            training=structs.replace(TRAINING, activation_checkpointing=True),
        )
    ),
    "exports": exports,
}
TRAINED = ("bias", "low rank, trained", "replacement block", "LoRA")


def compare(name: str, one: list[Any], other: list[Any]) -> None:
    # Adam divides by the size of a gradient: where that is next to nothing, the rounding decides.
    tolerance = 2e-3 if name in TRAINED else 1e-4
    for here, there in zip(one, other, strict=True):
        np.testing.assert_allclose(there, here, rtol=tolerance, atol=1e-5)
