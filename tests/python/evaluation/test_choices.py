"""What log-likelihoods come to, against figures computed elsewhere, and the log-likelihoods themselves
against plain forwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from data.resources import questions_of, shared
from depthkit_worker.contract.wire import RowFiles, TaskOptions
from depthkit_worker.data.tasks import load_task
from depthkit_worker.data.tokens import tokeniser_of
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.choices import chosen_of, last_word_result, require_kind
from depthkit_worker.evaluation.task_scores import task_scores
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from depthkit_worker.subnetworks.task_rows import TaskRows
from task_items import by_forward, random_task, result_of, scores_of
from tiny import FAMILY_MODELS, random_model, t_llama, tiny_model

WINDOWED = [
    "mistral-sliding",
    "ministral",
    "qwen2-sliding",
    "gemma2",
    "gemma3_text",
    "olmo3",
    "exaone4",
    "cohere2",
    "gpt_oss",
]
ONE_ROW_A_CHOICE = {"bloom", "mpt", "falcon-alibi", *WINDOWED}


@dataclass(frozen=True)
class Labelled:
    answer: int = 0
    group: str | None = None
    characters: tuple[int, ...] = (1, 1)
    bytes: tuple[int, ...] = (1, 1)
    scored: tuple[int, ...] = (1, 1)


def rows(*scores: Sequence[float]) -> list[NDArray[np.float64]]:
    return [np.array(of) for of in scores]


@pytest.mark.parametrize(
    ("letter", "micro", "macro"),
    [(0, 0.229454, 0.231169), (1, 0.246546, 0.244620), (2, 0.255092, 0.253831), (3, 0.268908, 0.270380)],
)
def test_tsk1_a_constant_answer_on_mmlu_by_question_and_by_subject(
    letter: int, micro: float, macro: float
) -> None:
    _, questions = questions_of(shared() / "data" / "mmlu_test.jsonl")
    forced = np.full(4, -5.0)
    forced[letter] = -1.0
    items = [Labelled(one.answer, one.group, one.characters, one.bytes, (1,) * 4) for one in questions]
    result = result_of(items, [forced] * len(questions))
    assert len(questions) == 14042 and len(result.groups) == 57
    assert result.acc.micro == pytest.approx(micro, abs=5e-7)
    assert result.acc.macro == pytest.approx(macro, abs=5e-7)
    assert result.acc.standard_error == pytest.approx(math.sqrt(micro * (1 - micro) / 14041), rel=1e-5)
    assert result.ties == 0


def test_tsk7_normalised_by_characters_and_by_bytes_are_two_numbers() -> None:
    cafe = Labelled(0, characters=(17, 10), bytes=(20, 10))
    assert (len("naïve café façade"), len("naïve café façade".encode()), len("plain cafe")) == (17, 20, 10)
    result = result_of([cafe], rows([-17.4, -9.5]))
    assert (result.acc.micro, result.acc_norm_chars.micro, result.acc_norm_bytes.micro) == (0.0, 0.0, 1.0)
    assert result.acc.standard_error is None and result.acc.macro is None


def test_ties_go_to_the_lowest_index_and_are_counted() -> None:
    items = [Labelled(0), Labelled(1), Labelled(1)]
    scores = rows([-1, -1], [-2, -2], [-3, -1])
    result = result_of(items, scores)
    assert result.ties == 2 and chosen_of(scores_of(scores)).tolist() == [0, 0, 1]
    assert result.acc.micro == pytest.approx(2 / 3)


def test_choice_loss_and_mass_by_their_definitions() -> None:
    items = [Labelled(1), Labelled(0)]
    scores = rows([math.log(0.1), math.log(0.3)], [math.log(0.01), math.log(0.02)])
    result = result_of(items, scores)
    assert result.choice_loss == pytest.approx((-math.log(0.75) - math.log(1 / 3)) / 2)
    assert result.probability_mass == pytest.approx((0.4 + 0.03) / 2)
    with pytest.raises(DepthkitError, match="item 1") as caught:
        result_of(items, rows([-1, -2], [-1, math.nan]))
    assert caught.value.code == "NOT_MEASURABLE"


def test_flips_behind_an_unchanged_accuracy_are_seen() -> None:
    items = [Labelled(0), Labelled(0), Labelled(0), Labelled(0)]
    dense = rows([-1, -2], [-1, -2], [-2, -1], [-2, -1])
    here = result_of(items, rows([-1, -2], [-2, -1], [-1, -2], [-2, -1]), dense)
    found = here.comparison
    assert found is not None
    assert here.acc.micro == found.dense_acc == 0.5 and found.agreement == 0.5
    assert (found.both_right, found.only_dense_right, found.only_subnetwork_right, found.both_wrong) == (
        1,
        1,
        1,
        1,
    )


def test_stability_by_its_definition() -> None:
    items = [Labelled(0, scored=(1, 2)), Labelled(0), Labelled(1), Labelled(1)]
    dense = rows([-1, -2], [-1, -3], [-1, -2.5], [-4, -1])
    here = rows([-1, -2], [-2, -1], [-1, -2], [-1, -4])
    # Perplexities by token; half their distance is the standard deviation of two.
    pairs = [(1, 1), (1, 3), (1, 2.5), (4, 1)]
    weights = [math.exp(abs(math.exp(one) - math.exp(other)) / 2) for one, other in pairs]
    found = result_of(items, here, dense).comparison
    assert found is not None
    # The first both answer rightly, the third both wrongly.
    assert found.stability == pytest.approx((weights[0] + weights[2]) / sum(weights), rel=1e-12)
    assert found.retained == pytest.approx(100 / 3)
    itself = result_of(items, dense, dense).comparison
    assert itself is not None and (itself.stability, itself.retained) == (1.0, 100.0)


def test_stability_survives_spreads_whose_exponential_has_no_number_and_none_beyond() -> None:
    items = [Labelled(0), Labelled(0)]
    wide = rows([-1, -8], [-1, -2])
    found = result_of(items, rows([-1, -2], [-2, -1]), wide).comparison
    assert math.exp(8) / 2 > 709 and found is not None and found.stability == 1.0
    beyond = result_of(items, rows([-1, -2], [-2, -1]), rows([-1, -800], [-1, -2])).comparison
    assert beyond is not None and beyond.stability is None
    nothing = result_of(items, rows([-1, -2], [-2, -1]), rows([-2, -1], [-2, -1])).comparison
    assert nothing is not None and nothing.retained is None


def test_last_words_by_their_definitions() -> None:
    task = random_task(3, choices=1, kind="last-word")
    scores = scores_of(rows([-1.0], [-2.0], [-6.0]), rows([1], [0], [1]))
    result = last_word_result(task, scores)
    tokens = sum(item.scored[0] for item in task.items)
    assert result.acc == pytest.approx(2 / 3) and result.perplexity == pytest.approx(math.exp(3))
    far = last_word_result(task, scores_of(rows([-1e3], [-2e3], [-6e3]), rows([1], [0], [1])))
    assert far.perplexity == "Infinity" and far.loss == pytest.approx(9e3 / tokens)
    assert result.tokens == tokens and result.loss == pytest.approx(9 / tokens)
    with pytest.raises(DepthkitError, match=r"Call lastWord\(\)"):
        require_kind(task, "choices")


@pytest.mark.parametrize("shots", [0, 40])
@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_shared_prompts_give_what_a_plain_forward_gives_each_choice(name: str, shots: int) -> None:
    model = tiny_model(name)
    decoder = Decoder(model)
    task = random_task(shots=shots)
    rows_made = TaskRows(task, decoder)
    together = all(len(layout.rows) == 1 for layout in rows_made._layouts)
    assert together is (name not in ONE_ROW_A_CHOICE), "declared, never guessed"
    assert (len(rows_made._layouts) < len(task.items)) is (together and shots > 0)
    found = task_scores(Subnetwork.dense(decoder), task, Unattended(), batch_size=3)
    for item, scores in zip(task.items, found.log_likelihoods, strict=True):
        np.testing.assert_allclose(scores, [of for of, _ in by_forward(model, item)], rtol=0, atol=1e-5)
    words = random_task(choices=1, kind="last-word", shots=shots)
    found = task_scores(Subnetwork.dense(decoder), words, Unattended(), batch_size=3)
    for item, scores, greedy in zip(words.items, found.log_likelihoods, found.greedy, strict=True):
        ((expected, right),) = by_forward(model, item)
        assert scores[0] == pytest.approx(expected, abs=1e-5) and greedy[0] == right


@pytest.mark.parametrize("name", WINDOWED)
def test_a_window_as_long_as_the_longest_choice_shares_the_prompt(name: str) -> None:
    task = random_task()
    longest = max(item.longest for item in task.items)
    config = FAMILY_MODELS[name]()
    config.sliding_window = longest
    model = random_model(config)
    assert all(len(layout.rows) == 1 for layout in TaskRows(task, Decoder(model))._layouts)
    assert not Decoder(model).can_branch(longest + 1)
    found = task_scores(Subnetwork.dense(Decoder(model)), task, Unattended())
    for item, scores in zip(task.items, found.log_likelihoods, strict=True):
        np.testing.assert_allclose(scores, [of for of, _ in by_forward(model, item)], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["llama", "gpt_neox-parallel", "gemma2", "opt"])
def test_rows_together_and_one_row_a_choice_agree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = FAMILY_MODELS[name]()
    config.sliding_window = None if name != "gemma2" else 64
    config._attn_implementation = "eager"
    decoder = Decoder(random_model(config))
    assert decoder.attention_implementation == "eager"
    task = random_task(12, seed=4)
    together = task_scores(Subnetwork.dense(decoder), task, Unattended())
    monkeypatch.setattr(Decoder, "can_branch", lambda _self, _longest: False)
    apart = task_scores(Subnetwork.dense(decoder), task, Unattended())
    for one, other in zip(together.log_likelihoods, apart.log_likelihoods, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def test_one_token_choices_cost_no_tokens_beyond_the_prompt() -> None:
    task = random_task(1)
    batch = TaskRows(task, Decoder(tiny_model("llama"))).batch(0, 1, None, ("accuracy",))  # type: ignore[arg-type]
    assert batch.branching is None and batch.input_ids.shape == (1, len(task.items[0].trunk))
    assert len(batch.scored.rows) == 1 and len(batch.scored.targets) == 4


def test_a_subnetwork_is_scored_without_its_units() -> None:
    model = tiny_model("llama")
    decoder, task = Decoder(model), random_task()
    units = (Unit("block", 1), Unit("attention", 3), Unit("feed-forward", 4))
    found = task_scores(Subnetwork(decoder, units), task, Unattended())
    with removed(Subnetwork(decoder, units)):
        expected = [by_forward(model, item) for item in task.items]
    for scores, of in zip(found.log_likelihoods, expected, strict=True):
        np.testing.assert_allclose(scores, [one for one, _ in of], rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["boolq", "arc_easy", "lambada_openai"])
def test_tsk5_scores_do_not_hang_on_the_batch(name: str, smollm2_tokenizer: PreTrainedTokenizerBase) -> None:
    model = t_llama()
    decoder = Decoder(model, smollm2_tokenizer)
    path = shared() / "data" / f"{name}.jsonl"
    data = RowFiles(files=(str(path),))
    task = load_task(tokeniser_of(decoder), data, TaskOptions(limit=20), Unattended())
    one, *others = (
        task_scores(Subnetwork.dense(decoder), task, Unattended(), batch_size=size)
        for size in (1, 8, 64, None)
    )
    for item, scores in zip(task.items, one.log_likelihoods, strict=True):
        np.testing.assert_allclose(scores, [of for of, _ in by_forward(model, item)], rtol=0, atol=1e-4)
    for other in others:
        for mine, theirs in zip(one.log_likelihoods, other.log_likelihoods, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-4)
        if task.kind == "choices":
            assert chosen_of(one).tolist() == chosen_of(other).tolist()
        else:
            assert [of.tolist() for of in one.greedy] == [of.tolist() for of in other.greedy]


def test_the_longest_items_come_first_and_progress_counts_them() -> None:
    task = random_task(9)
    made = TaskRows(task, Decoder(tiny_model("llama")))
    widths = [layout.width for layout in made._layouts]
    assert widths == sorted(widths, reverse=True) and made.longest == widths[0]
    shares = made.shares(None, lambda length: 60 // length)
    assert shares[0][0] == 0 and shares[-1][1] == 9 and len(shares) > 2
    seen: list[tuple[str, int, int | None]] = []

    class Job(Unattended):
        def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
            seen.append((phase, done, total))

    task_scores(Subnetwork.dense(Decoder(tiny_model("llama"))), task, Job(), batch_size=2)
    assert seen[-1] == ("choices", 9, 9) and len(seen) == 5


def test_a_cancel_stops_between_blocks_and_leaves_the_model_whole() -> None:
    class Stops(Unattended):
        left = 3

        def check(self) -> None:
            self.left -= 1
            if self.left < 0:
                raise cancelled()

    decoder, task = Decoder(tiny_model("llama")), random_task()
    before = task_scores(Subnetwork.dense(decoder), task, Unattended())
    with pytest.raises(DepthkitError) as caught:
        task_scores(Subnetwork(decoder, (Unit("block", 0),)), task, Stops())
    assert caught.value.code == "CANCELLED"
    after = task_scores(Subnetwork.dense(decoder), task, Unattended())
    assert [of.tolist() for of in before.log_likelihoods] == [of.tolist() for of in after.log_likelihoods]
