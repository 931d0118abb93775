"""Work on one subnetwork by Ray's actors, against one device."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from msgspec import structs
from numpy.typing import NDArray

from cluster.actors import Meddling, kill_one
from depthkit_worker.cluster.cluster import Cluster
from depthkit_worker.cluster.dispatch import MOST_LOSSES
from depthkit_worker.contract.wire import (
    CorpusWriteOptions,
    FeedForwardSkipping,
    FixedSkipping,
    GenerateOptions,
    GenerationTaskOptions,
    InfluenceOptions,
    OwnRows,
    PerplexityOptions,
    PerplexityResult,
    Policy,
    PromptSkipping,
    RandomSkipping,
    SolveOptions,
    StreamOptions,
    TaskKind,
)
from depthkit_worker.data.generation_tasks import load_generation_task
from depthkit_worker.data.stream import TextStream, make_stream
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.finished_items import FinishedItems
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.generation_tasks import solve
from depthkit_worker.evaluation.perplexity import perplexity
from depthkit_worker.evaluation.task_scores import task_scores
from depthkit_worker.evaluation.written_corpus import write_corpus
from depthkit_worker.influence.static import static_influence
from depthkit_worker.influence.stream import stream_measures
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.repair.weight_changes import Product
from depthkit_worker.session.job import Job, Unattended, cancelled
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.hands import Items, Load
from depthkit_worker.subnetworks.splits import ItemCut
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from subnetworks.physical import corpus_of
from task_items import random_task
from tiny import VOCABULARY, token_ids

CHUNK, BATCH = 32, 4
GONE = Unit("block", 2)


def stream_of(decoder: Decoder, tokens: int) -> TextStream:
    ids = np.random.default_rng(0).integers(0, VOCABULARY, tokens)
    texts = texts_from_strings([" ".join(f"t{number}" for number in ids)])
    return make_stream(tokeniser_of(decoder), texts, PerplexityOptions(), Unattended())


def subnetworks(decoder: Decoder) -> list[Subnetwork]:
    """The whole model, one with units removed, and one with repairs in place."""
    edits = {
        GONE.index: BlockEdit(beside=Constant(torch.full((decoder.hidden_size,), 0.25))),
        0: BlockEdit(weights={"mlp.down_proj.weight": Product(torch.eye(decoder.hidden_size) * 1.5, True)}),
    }
    pruned = Subnetwork(decoder, (GONE, Unit("attention", 1)))
    return [Subnetwork.dense(decoder), pruned, pruned.repaired(Repair("scale", (GONE,), edits, "d" * 64))]


def measured(
    subnetwork: Subnetwork,
    stream: TextStream,
    cluster: Cluster | None = None,
    job: Job | None = None,
    finished: FinishedItems | None = None,
    policy: Policy | None = None,
) -> PerplexityResult:
    return perplexity(
        subnetwork,
        stream,
        PerplexityOptions(chunk=CHUNK, batch_size=BATCH, bos="never"),
        job or Unattended(),
        finished=finished,
        policy=policy,
        hands=None if cluster is None else cluster.hands(subnetwork),
    )


class Counting(Unattended):
    """Hears of progress."""

    def __init__(self) -> None:
        self.done: list[int] = []

    def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
        self.done.append(done)


class Told:
    """What is told of items as it is found."""

    def __init__(self) -> None:
        self.values: dict[int, float] = {}

    def __call__(self, items: Sequence[int], values: Sequence[NDArray[np.float64]]) -> None:
        for item, value in zip(items, values, strict=True):
            assert item not in self.values, "each once"
            self.values[item] = float(value[0])


def test_perplexity_is_that_of_one_device(cluster: Cluster, decoder: Decoder, cuts: list[ItemCut]) -> None:
    stream, found = stream_of(decoder, 40 * CHUNK + 5), []
    for subnetwork in subnetworks(decoder):
        here, there = measured(subnetwork, stream), measured(subnetwork, stream, cluster)
        assert there.loss == pytest.approx(here.loss, rel=0, abs=1e-6)
        assert (there.chunks, there.tokens_scored) == (here.chunks, here.tokens_scored)
        found.append(here.loss)
    assert np.abs(np.diff(found)).min() > 1e-4, "three different subnetworks"
    assert min(len(cut.parts) for cut in cuts) > 1


def test_scores_of_tasks_are_those_of_one_device(
    cluster: Cluster, decoder: Decoder, cuts: list[ItemCut]
) -> None:
    kinds: tuple[TaskKind, ...] = ("choices", "last-word")
    for kind in kinds:
        task = random_task(90, 1 if kind == "last-word" else 4, kind)
        for subnetwork in subnetworks(decoder):
            here = task_scores(subnetwork, task, Unattended(), batch_size=4)
            job = Counting()
            hands = cluster.hands(subnetwork)
            there = task_scores(subnetwork, task, job, batch_size=4, hands=hands)
            for name in ("log_likelihoods", "greedy"):
                mine, theirs = (np.concatenate(getattr(scores, name)) for scores in (there, here))
                np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-6)
            assert there.notes == here.notes == ()
            assert job.done == sorted(job.done) and job.done[-1] == len(task.items)
    assert min(len(cut.parts) for cut in cuts) > 1


def test_known_items_are_not_sent(cluster: Cluster, decoder: Decoder) -> None:
    stream, whole = stream_of(decoder, 40 * CHUNK), Subnetwork.dense(decoder)
    told, rest = Told(), Told()
    here = measured(whole, stream, finished=FinishedItems(tell=told))
    known = {item: np.array([told.values[item]]) for item in range(0, 40, 3)}
    there = measured(whole, stream, cluster, finished=FinishedItems(known, rest))
    assert there.loss == pytest.approx(here.loss, rel=0, abs=1e-6)
    assert sorted(rest.values) == [item for item in range(40) if item % 3]


def test_an_actor_that_is_killed_loses_no_item(cluster: Cluster, decoder: Decoder) -> None:
    stream, whole = stream_of(decoder, 1200 * CHUNK), Subnetwork.dense(decoder)
    killed: list[int] = []
    job, told = Meddling(lambda: killed.append(kill_one())), Told()
    there = measured(whole, stream, cluster, job, FinishedItems(tell=told))
    assert len(killed) == 1
    assert sorted(told.values) == list(range(there.chunks)), "each item, once"
    assert there.loss == pytest.approx(measured(whole, stream).loss, rel=0, abs=1e-6)
    assert job.done == sorted(job.done), "progress never goes back"


def test_a_cancel_ends_work_on_actors(cluster: Cluster, decoder: Decoder) -> None:
    def cancel() -> None:
        raise cancelled()

    whole = Subnetwork.dense(decoder)
    with pytest.raises(DepthkitError, match="cancelled"):
        measured(whole, stream_of(decoder, 1200 * CHUNK), cluster, Meddling(cancel))
    stream = stream_of(decoder, 8 * CHUNK)
    assert measured(whole, stream, cluster).loss == pytest.approx(measured(whole, stream).loss, abs=1e-6)


def test_influence_is_that_of_one_device(cluster: Cluster, decoder: Decoder, cuts: list[ItemCut]) -> None:
    corpus = corpus_of([*token_ids(30, 24), *token_ids(9, 11)])
    options = InfluenceOptions(batch_size=2, skip_first_tokens=1, cosines=True)
    for subnetwork in subnetworks(decoder):
        hands = cluster.hands(subnetwork)
        with removed(subnetwork):
            here = static_influence(decoder, corpus, options, Unattended())
            stream = stream_measures(decoder, corpus, StreamOptions(batch_size=2), Unattended())
        there = static_influence(decoder, corpus, options, Unattended(), hands)
        assert (there.sequences, there.tokens) == (here.sequences, here.tokens)
        for name in ("values", "standard_errors", "angular", "cosines"):
            torch.testing.assert_close(getattr(there, name), getattr(here, name), rtol=0, atol=1e-6)
        spread = stream_measures(decoder, corpus, StreamOptions(batch_size=2), Unattended(), hands)
        torch.testing.assert_close(spread.values, stream.values, rtol=0, atol=1e-6)
        assert (spread.bound, spread.tokens) == (stream.bound, stream.tokens)
    assert min(len(cut.parts) for cut in cuts) > 1


def test_answers_are_those_of_one_device(cluster: Cluster, decoder: Decoder, cuts: list[ItemCut]) -> None:
    rng = np.random.default_rng(0)
    rows = [
        {"q": " ".join(f"t{n}" for n in rng.integers(3, VOCABULARY, 2 + i % 5)), "a": "t9"} for i in range(14)
    ]
    source = OwnRows(rows=tuple(map(json.dumps, rows)))
    given = GenerationTaskOptions(prompt="{q}", target="a", score="exact")
    task = load_generation_task(source, given, Unattended())
    greedy = SolveOptions(max_new_tokens=6, batch_size=1, items=True)
    drawn = SolveOptions(
        max_new_tokens=6, batch_size=3, samples=2, temperature=0.9, seed=4, items=True, pass_at=(1,)
    )
    for subnetwork in subnetworks(decoder)[1:]:
        for options in (greedy, drawn):
            job = Counting()
            here = solve(subnetwork, task, options, Unattended())
            there = solve(subnetwork, task, options, job, hands=cluster.hands(subnetwork))
            assert structs.replace(there, seconds=0) == structs.replace(here, seconds=0)
            assert job.done == sorted(job.done) and job.done[-1] == 14 * options.samples
    assert min(len(cut.parts) for cut in cuts) > 1


def test_texts_and_written_corpora_are_those_of_one_device(
    cluster: Cluster, decoder: Decoder, cuts: list[ItemCut]
) -> None:
    rng = np.random.default_rng(1)
    prompts = [" ".join(f"t{n}" for n in rng.integers(3, VOCABULARY, 2 + i % 5)) for i in range(14)]
    for subnetwork in subnetworks(decoder)[1:]:
        for batch_size, temperature in ((1, 0.0), (3, 0.9)):
            options = GenerateOptions(max_new_tokens=6, batch_size=batch_size, temperature=temperature)
            job = Counting()
            here = generate(subnetwork, prompts, options, Unattended())
            there = generate(subnetwork, prompts, options, job, hands=cluster.hands(subnetwork))
            assert structs.replace(there, seconds=0) == structs.replace(here, seconds=0)
            assert job.done == sorted(job.done) and job.done[-1] == 14
    begun = corpus_of([*token_ids(14, 12)])
    whole = Subnetwork.dense(decoder)
    for sampling in (CorpusWriteOptions(), CorpusWriteOptions(temperature=0.9, seed=3)):
        asked = structs.replace(sampling, prompt_tokens=5, new_tokens=7, batch_size=3)
        alone = write_corpus(decoder, begun, asked, Unattended())
        spread = write_corpus(decoder, begun, asked, Unattended(), hands=cluster.hands(whole))
        assert spread.info == alone.info
        np.testing.assert_array_equal(spread.ids, alone.ids)
    assert min(len(cut.parts) for cut in cuts) > 1


@pytest.mark.parametrize(
    "policy",
    [
        FixedSkipping(blocks=(1,), warm_up=2),
        RandomSkipping(start=0, end=3, share=0.5, warm_up=2),
        FeedForwardSkipping(start=0, end=4, threshold=0.9, run=1, warm_up=2),
    ],
)
def test_actors_follow_a_policy(
    policy: Policy, cluster: Cluster, decoder: Decoder, cuts: list[ItemCut]
) -> None:
    stream, task = stream_of(decoder, 40 * CHUNK + 5), random_task(90)
    for subnetwork in subnetworks(decoder)[::2]:
        here = measured(subnetwork, stream, policy=policy)
        there = measured(subnetwork, stream, cluster, policy=policy)
        assert there.loss == pytest.approx(here.loss, rel=0, abs=1e-6)
        assert abs(there.loss - measured(subnetwork, stream).loss) > 1e-4
        assert there.skips == here.skips
        assert here.skips is not None and here.skips.share_of_candidates is not None
        assert 0 < here.skips.share_of_candidates <= 1
        alone = task_scores(subnetwork, task, Unattended(), batch_size=4, policy=policy)
        hands = cluster.hands(subnetwork)
        spread = task_scores(subnetwork, task, Unattended(), batch_size=4, policy=policy, hands=hands)
        mine, theirs = (np.concatenate(scores.log_likelihoods) for scores in (spread, alone))
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-6)
        assert spread.skips == alone.skips and alone.skips != here.skips
    assert min(len(cut.parts) for cut in cuts) > 1


def test_actors_pass_prompts_by(cluster: Cluster, decoder: Decoder, cuts: list[ItemCut]) -> None:
    rng, policy = np.random.default_rng(2), PromptSkipping(start=0, end=3)
    prompts = [" ".join(f"t{n}" for n in rng.integers(3, VOCABULARY, 2 + i % 5)) for i in range(14)]
    options, whole = GenerateOptions(max_new_tokens=6, batch_size=3), Subnetwork.dense(decoder)
    here = generate(whole, prompts, options, Unattended(), policy=policy)
    there = generate(whole, prompts, options, Unattended(), policy=policy, hands=cluster.hands(whole))
    assert structs.replace(there, seconds=0) == structs.replace(here, seconds=0)
    assert here.skips is not None and here.skips.tokens > 14
    assert min(len(cut.parts) for cut in cuts) > 1


def test_actors_check_a_policy_as_one_device_does(cluster: Cluster, decoder: Decoder) -> None:
    whole = Subnetwork.dense(decoder)
    with pytest.raises(DepthkitError, match="name each once, from 0 to"):
        measured(whole, stream_of(decoder, 4 * CHUNK), cluster, policy=FixedSkipping(blocks=(99,)))


class Deadly:
    """Ends the process that does it."""

    def run(self, decoder: Decoder, part: range, job: Job) -> Iterator[int]:
        yield os._exit(1)


class Refusing:
    def run(self, decoder: Decoder, part: range, job: Job) -> Iterator[int]:
        if decoder.depth:
            raise DepthkitError("NOT_MEASURABLE", f"Items from {part[0]} are bad.", first=part[0])
        yield part[0]


@pytest.fixture
def travelling() -> Iterator[None]:
    """Actors have no file of these tests."""
    from ray import cloudpickle

    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


def items(part: Callable[[range], range]) -> Items[range]:
    return Items(1, 1, lambda _: Load(1, 1), part)


@pytest.mark.usefixtures("travelling")
def test_a_refusal_comes_back_as_it_is(cluster: Cluster, decoder: Decoder) -> None:
    hands = cluster.hands(Subnetwork.dense(decoder))
    with pytest.raises(DepthkitError, match=r"Items from 0 are bad\.") as refused:
        list(hands.run(Refusing(), items(lambda part: part), Unattended()))
    assert refused.value.code == "NOT_MEASURABLE" and refused.value.details == {"first": 0}


@pytest.mark.usefixtures("travelling")
def test_what_kills_three_actors_is_not_tried_again(cluster: Cluster, decoder: Decoder) -> None:
    hands = cluster.hands(Subnetwork.dense(decoder))
    with pytest.raises(DepthkitError, match=f"{MOST_LOSSES} actors died with the same piece") as refused:
        list(hands.run(Deadly(), items(lambda part: part), Unattended()))
    assert refused.value.code == "WORKER_DIED"
    stream, whole = stream_of(decoder, 8 * CHUNK), Subnetwork.dense(decoder)
    assert measured(whole, stream, cluster).loss == pytest.approx(measured(whole, stream).loss, abs=1e-6)
