"""The engine on tasks, against physically edited models and gates on the live one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import LongTensor, Tensor

from depthkit_worker.contract.wire import EngineOptions, Measure, ScoredPositions
from depthkit_worker.data.tasks import Item, Task
from depthkit_worker.errors import DepthkitError
from depthkit_worker.evaluation.task_scores import task_scores
from depthkit_worker.models.decoder import Branching, Decoder, Replay
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.repair.repair import Repair, slot_of, update_at
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.engine import EngineResult, evaluate_subnetworks
from depthkit_worker.subnetworks.masks import Subnetworks
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from subnetworks.physical import Physical, all_masks
from task_items import random_task, result_of
from tiny import DEPTH, FAMILY_MODELS, tiny_model

TASK_MEASURES: tuple[Measure, ...] = ("accuracy", "choice-loss")
PLAIN = EngineOptions()
NAMES = ("attention.0", "feed-forward.0", "attention.3", "feed-forward.4", "block.2", "block.5")
UNITS = tuple(Unit.parse(name) for name in NAMES)


def evaluate(
    decoder: Decoder,
    task: Task,
    asked: Subnetworks,
    measures: tuple[Measure, ...] = TASK_MEASURES,
    options: EngineOptions = PLAIN,
) -> EngineResult:
    return evaluate_subnetworks(decoder, task, asked, measures, options, Unattended())


def log_likelihood(physical: Physical, item: Item, choice: int, gone: set[Unit]) -> tuple[float, bool]:
    ids = torch.from_numpy(item.sequence(choice).astype(np.int64))[None]
    assert isinstance(ids, LongTensor)
    scored = item.scored[choice]
    logits = physical.logits(ids[:, :-1], gone)[0, -scored:].double().log_softmax(-1)  # type: ignore[arg-type]
    targets = ids[0, -scored:]
    return float(logits.gather(1, targets[:, None]).sum()), bool((logits.argmax(-1) == targets).all())


@pytest.mark.parametrize("name", ["llama", "gpt_neox-parallel", "olmo2", "qwen2_moe"])
@torch.inference_mode()
def test_every_subnetwork_equals_the_physically_edited_model(name: str) -> None:
    model = tiny_model(name)
    physical = Physical(model)
    task, words = random_task(5), random_task(5, choices=1, kind="last-word")
    masks = all_masks(len(UNITS))[::3]
    result = evaluate(Decoder(model), task, Subnetworks(UNITS, masks))
    of_words = evaluate(Decoder(model), words, Subnetworks(UNITS, masks), ("loss", "accuracy"))
    for kept, values, word_values in zip(masks, result.values, of_words.values, strict=True):
        gone = {unit for unit, stays in zip(UNITS, kept, strict=True) if not stays}
        scores = [
            np.array([log_likelihood(physical, item, choice, gone)[0] for choice in range(len(item.tails))])
            for item in task.items
        ]
        expected = result_of(task.items, scores)
        np.testing.assert_allclose(values, [expected.acc.micro, expected.choice_loss], rtol=1e-5, atol=1e-6)
        found = [log_likelihood(physical, item, 0, gone) for item in words.items]
        tokens = sum(item.scored[0] for item in words.items)
        loss = -sum(score for score, _ in found) / tokens
        np.testing.assert_allclose(word_values, [loss, sum(right for _, right in found) / 5], rtol=1e-5)
    assert result.counts == (5, 5) and of_words.counts == (tokens, 5)


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_all_families_agree_with_gates_on_the_live_model(name: str) -> None:
    decoder, task = Decoder(tiny_model(name)), random_task(6, seed=2)
    units = tuple(Unit(kind, index) for index in range(DEPTH) for kind in UNIT_KINDS)
    masks = np.random.default_rng(0).random((6, len(units))) < 0.8
    result = evaluate(decoder, task, Subnetworks(units, masks))
    for kept, values in zip(masks, result.values, strict=True):
        gone = tuple(unit for unit, stays in zip(units, kept, strict=True) if not stays)
        expected = result_of(
            task.items, task_scores(Subnetwork(decoder, gone), task, Unattended()).log_likelihoods
        )
        np.testing.assert_allclose(values, [expected.acc.micro, expected.choice_loss], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["llama", "gpt_neox-parallel"])
def test_repairs_stand_in_the_engine_as_on_the_live_model(name: str) -> None:
    decoder, task = Decoder(tiny_model(name)), random_task(6, seed=3)
    unit = Unit("attention", 3)
    slot = slot_of(unit.kind, decoder.parallel)
    vector = torch.randn(decoder.hidden_size, generator=torch.Generator().manual_seed(0))
    repair = Repair("by hand", (unit,), {3: update_at(slot, Constant(vector))}, digest="1")
    asked = Subnetworks((unit,), np.array([[False], [True]]), (repair,))
    result = evaluate(decoder, task, asked)
    for units, repairs, values in (((unit,), (repair,), result.values[0]), ((), (), result.values[1])):
        found = task_scores(Subnetwork(decoder, units, repairs), task, Unattended())
        expected = result_of(task.items, found.log_likelihoods)
        np.testing.assert_allclose(values, [expected.acc.micro, expected.choice_loss], rtol=1e-5, atol=1e-6)
    assert abs(result.values[0, 1] - result.values[1, 1]) > 1e-3, "the repair and the removal tell"


def test_out_of_memory_halves_the_items_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder, task = Decoder(tiny_model("llama")), random_task(9)
    expected = task_scores(Subnetwork.dense(decoder), task, Unattended())
    begin = Decoder.begin

    def short_of_memory(
        self: Decoder,
        input_ids: LongTensor,
        branching: Branching | None = None,
        counted: Tensor | None = None,
    ) -> Replay:
        if input_ids.shape[0] > 3 and branching is not None:
            raise MemoryError("no more")
        return begin(self, input_ids, branching, counted)

    monkeypatch.setattr(Decoder, "begin", short_of_memory)
    found = task_scores(Subnetwork.dense(decoder), task, Unattended(), batch_size=9)
    assert found.notes == (
        "out of memory with 9 sequences per batch; went on with 4",
        "out of memory with 4 sequences per batch; went on with 2",
    )
    for mine, theirs in zip(found.log_likelihoods, expected.log_likelihoods, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shots", [0, 60])
def test_values_do_not_depend_on_batches_or_pieces(shots: int) -> None:
    decoder, task = Decoder(tiny_model("llama")), random_task(11, shots=shots)
    asked = Subnetworks(tuple(Unit("block", index) for index in range(DEPTH)), all_masks(DEPTH))
    options = [EngineOptions(batch_size=size) for size in (64, 11, 4, 1)]
    options += [EngineOptions(memory_budget=1 << 18)]
    one, *others = (evaluate(decoder, task, asked, options=of) for of in options)
    for other in others:
        np.testing.assert_allclose(other.values, one.values, rtol=1e-6, atol=1e-6)
        assert other.counts == one.counts == (11, 11)
    assert others[-1].batch_size < 11


def test_progress_ends_where_it_said_it_would() -> None:
    reports: list[tuple[int, int | None]] = []

    class Job(Unattended):
        def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
            reports.append((done, total))

    asked = Subnetworks(UNITS, all_masks(len(UNITS)))
    options = EngineOptions(batch_size=3)
    evaluate_subnetworks(Decoder(tiny_model("llama")), random_task(7), asked, TASK_MEASURES, options, Job())
    assert reports[-1][0] == reports[-1][1] and reports == sorted(reports)


@pytest.mark.parametrize(
    ("kind", "measure", "options"),
    [
        ("choices", "loss", PLAIN),
        ("choices", "kl", PLAIN),
        ("last-word", "choice-loss", PLAIN),
        ("choices", "accuracy", EngineOptions(scored_positions=ScoredPositions(every=2))),
    ],
)
def test_measures_that_a_task_does_not_have_are_refused(
    kind: str, measure: Measure, options: EngineOptions
) -> None:
    task = random_task(2, choices=2, kind="choices") if kind == "choices" else random_task(2, 1, "last-word")
    with pytest.raises(DepthkitError, match=f"a {kind} task") as caught:
        evaluate(
            Decoder(tiny_model("llama")), task, Subnetworks(UNITS, all_masks(6)[:2]), (measure,), options
        )
    assert caught.value.code == "INVALID_ARGUMENT"
