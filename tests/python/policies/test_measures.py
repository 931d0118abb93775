"""What is measured under a policy: each against a figure got another way."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec import structs
from transformers import LlamaConfig, PreTrainedTokenizerBase

from data.builders import byte_level
from data.resources import smollm2
from depthkit_worker.contract.wire import (
    EngineOptions,
    FeedForwardSkipping,
    FixedSkipping,
    GenerateOptions,
    Measure,
    PerplexityOptions,
    Policy,
    PolicyMeasureOptions,
    ProfileOptions,
    PromptSkipping,
)
from depthkit_worker.data.stream import make_stream
from depthkit_worker.data.text import texts_from_strings
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.finished_items import FinishedItems
from depthkit_worker.evaluation.generation import generate
from depthkit_worker.evaluation.perplexity import perplexity
from depthkit_worker.evaluation.task_scores import task_scores
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.policies.follow import following
from depthkit_worker.policies.measure import measure
from depthkit_worker.profiling.profile import profile
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import evaluate_subnetworks
from depthkit_worker.subnetworks.masks import Subnetworks
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from influence.builders import corpus_of, random_rows
from policies.by_hand import by_cosine, middling, replayed
from task_items import random_task
from tiny import SHAPE, random_model, tiny_model, token_ids

MEASURES: tuple[Measure, ...] = ("loss", "kl", "logit-distance")
PROMPT = PromptSkipping(start=2, end=5)


def cosine_policy(decoder: Decoder, warm_up: int = 2) -> FeedForwardSkipping:
    threshold = middling(decoder, token_ids(2, 13))
    return FeedForwardSkipping(start=1, end=6, threshold=threshold, run=1, warm_up=warm_up)


def test_measures_of_a_mask_are_the_engines() -> None:
    decoder = Decoder(tiny_model("llama"))
    corpus = corpus_of(random_rows(12, 5, 9))
    units = (Unit("block", 3), Unit("feed-forward", 1), Unit("feed-forward", 4))
    kept = np.array([[False, False, False]])
    engine = evaluate_subnetworks(
        decoder, corpus, Subnetworks(units, kept), MEASURES, EngineOptions(), Unattended()
    )
    found = measure(
        Subnetwork(decoder, units[:1]),
        FixedSkipping(blocks=(1, 4), warm_up=0),
        corpus,
        PolicyMeasureOptions(measures=MEASURES, batch_size=2),
        Unattended(),
    )
    assert found.values == pytest.approx(engine.values[0].tolist(), rel=1e-5)
    assert found.counts == engine.counts
    assert found.skips.tokens == 26
    assert found.skips.share == pytest.approx(2 / 5)


def test_measures_follow_the_stream() -> None:
    decoder = Decoder(tiny_model("llama"))
    rows = random_rows(12, 9)
    policy = cosine_policy(decoder)
    found = measure(
        Subnetwork(decoder), policy, corpus_of(rows), PolicyMeasureOptions(measures=MEASURES), Unattended()
    )
    losses: list[float] = []
    divergences: list[float] = []
    distances: list[float] = []
    for row in rows:
        ids = torch.tensor([row])
        with torch.no_grad():
            logits = by_cosine(decoder, ids, policy)[0][0].double()  # type: ignore[arg-type]
            dense = replayed(decoder, ids)[0].double()  # type: ignore[arg-type]
        own, whole = logits.log_softmax(-1), dense.log_softmax(-1)
        losses += (-own[:-1].gather(1, ids[0, 1:, None])[:, 0]).tolist()
        divergences += (whole.exp() * (whole - own)).sum(-1).tolist()
        distances += (dense - logits).norm(dim=-1).tolist()
    assert found.counts == (19, 21, 21)
    expected = [math.fsum(of) / len(of) for of in (losses, divergences, distances)]
    assert found.values == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("measures", [("accuracy",), ("loss", "loss")])
def test_measures_that_a_corpus_has_not_are_refused(measures: tuple[Measure, ...]) -> None:
    decoder = Decoder(tiny_model("llama"))
    options = PolicyMeasureOptions(measures=measures)
    with pytest.raises(DepthkitError, match="each once"):
        measure(Subnetwork(decoder), cosine_policy(decoder), corpus_of([[1, 2]]), options, Unattended())


@pytest.mark.parametrize("name", ["llama", "bloom", "qwen2-sliding"])
def test_choices_in_shared_rows_are_each_read_as_one_text(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    policy = cosine_policy(decoder, warm_up=1)
    task = random_task(shots=6)
    scores = task_scores(Subnetwork(decoder), task, Unattended(), policy=policy, batch_size=3)
    tokens = 0
    for item, found in zip(task.items, scores.log_likelihoods, strict=True):
        expected = []
        for choice, scored in enumerate(item.scored):
            ids = torch.from_numpy(item.sequence(choice).astype(np.int64))[None]
            with torch.no_grad():
                logits = by_cosine(decoder, ids[:, :-1], policy)[0]  # type: ignore[arg-type]
            likely = logits[0, -scored:].double().log_softmax(-1)
            expected.append(float(likely.gather(1, ids[0, -scored:, None]).sum()))
        np.testing.assert_allclose(found, expected, atol=1e-4)
        tokens += len(item.trunk)
    assert scores.skips is not None and scores.skips.share is not None
    assert 0 < scores.skips.share < 1
    # No filler counts: a shared prompt counts at most once for each choice.
    assert scores.skips.tokens <= sum(len(item.sequence(c)) for item in task.items for c in range(4))


def test_what_was_scored_before_is_not_run_again() -> None:
    decoder = Decoder(tiny_model("llama"))
    task = random_task()
    policy = cosine_policy(decoder)
    finished = FinishedItems()
    first = task_scores(Subnetwork(decoder), task, Unattended(), policy=policy, finished=finished)
    again = task_scores(Subnetwork(decoder), task, Unattended(), policy=policy, finished=finished)
    assert all(map(np.array_equal, first.log_likelihoods, again.log_likelihoods))
    assert first.skips is not None and first.skips.tokens > 0
    assert again.skips is not None and (again.skips.tokens, again.skips.share) == (0, None)


def written_under(
    decoder: Decoder, policy: Policy | None, prompts: list[str], **options: object
) -> tuple[list[tuple[int, ...]], object]:
    given = GenerateOptions(max_new_tokens=8, **options)  # type: ignore[arg-type]
    result = generate(Subnetwork(decoder), prompts, given, Unattended(), policy=policy)
    return [one.token_ids for one in result.generations], result.skips


def test_text_in_batches_is_the_text_alone_and_that_of_the_formula(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    prompts = ["t7 t30 t11", "t54 t80 t4 t66 t9", "t3"]
    policy = cosine_policy(decoder)
    alone, skips = written_under(decoder, policy, prompts)
    together, _ = written_under(decoder, policy, prompts, batch_size=3)
    assert alone == together
    assert skips is not None
    for prompt, written in zip(prompts, alone, strict=True):
        ids = list(words(prompt)["input_ids"])
        for token in written:
            with torch.no_grad():
                logits = by_cosine(decoder, torch.tensor([ids]), policy)[0]  # type: ignore[arg-type]
            assert int(logits[0, -1].argmax()) == token
            ids.append(token)


def test_text_under_a_policy_takes_a_cache(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    with pytest.raises(DepthkitError, match="without a cache"):
        written_under(decoder, PROMPT, ["t3"], cache=False)


def test_reading_and_writing_apart_says_what_it_skipped(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    options = GenerateOptions(max_new_tokens=3)
    skips = generate(Subnetwork(decoder), ["t7 t30 t11 t54"], options, Unattended(), policy=PROMPT).skips
    assert skips is not None
    # Three of the prompt's four tokens, three of six blocks; the last token written is not read.
    assert skips.tokens == 4 + 2
    assert list(skips.by_position) == [0.5, 0.5, 0.5, 0, 0, 0]


def test_a_text_read_whole_knows_no_prompt() -> None:
    decoder = Decoder(random_model(LlamaConfig(**{**SHAPE, "vocab_size": 300})), byte_level())
    stream = make_stream(
        tokeniser_of(decoder), texts_from_strings(["abc " * 40]), PerplexityOptions(), Unattended()
    )
    with pytest.raises(DepthkitError, match=r"prompt-skipping.*generate, solve or profile"):
        perplexity(Subnetwork(decoder), stream, PerplexityOptions(), Unattended(), policy=PROMPT)
    with pytest.raises(DepthkitError, match="prompt-skipping"):
        task_scores(Subnetwork(decoder), random_task(), Unattended(), policy=PROMPT)
    with pytest.raises(DepthkitError, match="prompt-skipping"):
        measure(Subnetwork(decoder), PROMPT, corpus_of([[1, 2]]), PolicyMeasureOptions(), Unattended())


QUICK = ProfileOptions(
    modes=("masked",), prompt_tokens=24, context_tokens=8, new_tokens=3, batch_sizes=(1,), rounds=1
)


def test_a_profile_says_what_was_skipped_and_knows_one_mode() -> None:
    decoder = Decoder(tiny_model("llama"))
    policy = FixedSkipping(blocks=(1, 2, 3), warm_up=0)
    result = profile(Subnetwork(decoder), QUICK, Unattended(), policy=policy)
    assert [model.mode for model in result.models] == ["dense", "masked"]
    assert result.skips is not None and result.skips.share == pytest.approx(0.5)
    dense, masked = result.models
    assert dense.kv_bytes_per_token == masked.kv_bytes_per_token
    assert dense.parameters == masked.parameters
    with pytest.raises(DepthkitError, match="only mode is masked"):
        profile(Subnetwork(decoder), ProfileOptions(), Unattended(), policy=policy)


def test_a_profile_of_a_text_reads_it(words: PreTrainedTokenizerBase) -> None:
    decoder = Decoder(tiny_model("llama"), words)
    text = " ".join(f"t{number}" for number in range(3, 60))
    given = structs.replace(QUICK, text=text)
    policy = cosine_policy(decoder, warm_up=0)
    result = profile(Subnetwork(decoder), given, Unattended(), policy=policy)
    with following(Subnetwork(decoder), policy) as follower:
        replayed(decoder, torch.tensor([words(text)["input_ids"][:24]]))  # type: ignore[arg-type]
    assert follower is not None and result.skips is not None
    # The prompt's places beyond what the writing reads are of the prompt alone.
    assert result.skips.by_position[11:] == pytest.approx(follower.skips().by_position[11:])
    with pytest.raises(DepthkitError, match="24 are read"):
        profile(Subnetwork(decoder), structs.replace(given, text="t3 t4"), Unattended())
    with pytest.raises(DepthkitError, match="leave one out"):
        profile(Subnetwork(decoder), structs.replace(given, seed=1), Unattended())


def test_the_share_falls_with_the_threshold_on_the_bundled_model(
    bundled_model: Path, smollm2_tokenizer: PreTrainedTokenizerBase
) -> None:
    decoder = smollm2(bundled_model)
    text = "The blocks of a language model read and write one stream, and not all of them write much. " * 6
    ids = torch.tensor([smollm2_tokenizer(text)["input_ids"][:64]])
    shares = []
    for threshold in (0.9, 0.95, 0.97, 0.98, 0.99, 1.01):
        policy = FeedForwardSkipping(start=3, end=28, threshold=threshold, run=1, warm_up=8)
        with torch.no_grad(), following(Subnetwork(decoder), policy) as follower:
            replayed(decoder, ids)  # type: ignore[arg-type]
        assert follower is not None
        shares.append(follower.skips().share)
    assert shares == sorted(shares, key=lambda share: -(share or 0))
    assert shares[0] == pytest.approx(0.36, abs=0.1)
    assert shares[-1] == 0
