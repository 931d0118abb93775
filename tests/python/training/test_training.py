"""Training on tiny models: what it computes, what it leaves alone, when it stops."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest
import torch
from msgspec import structs
from torch import Tensor, nn
from torch.nn import functional

from depthkit_worker.contract.wire import Objective, TrainingOptions, TrainingPoint
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.next_token_loss import SLICE_BYTES
from depthkit_worker.models.stream_updates import Constant, Linear, LowRank
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.fitting import Fill
from depthkit_worker.repair.repair import BlockEdit, Repair
from depthkit_worker.repair.training.fills import train_fills
from depthkit_worker.repair.training.options import SettledTraining, settled
from depthkit_worker.repair.training.schedule import learning_rate_factor
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from influence.builders import llama, tiny
from training.builders import (
    REMOVED,
    SHORT,
    CancelAfter,
    Looks,
    base_of,
    constant,
    corpus,
    curve,
    ignore,
    trained_constant,
    visible,
)

PROMPTS = (4, 1, 16, 8, 7, 2)
"""Tokens of each sequence that no model wrote, where they count."""


def written() -> Corpus:
    return dataclasses.replace(corpus(), prompt_lengths=PROMPTS)


def first_objective(
    decoder: Decoder, options: SettledTraining, skip_tokens: int = 0, on: Corpus | None = None
) -> tuple[float, float]:
    """The objective of the whole corpus at the start, and the norm of its gradient."""
    options = structs.replace(options, steps=1, batch_size=2, accumulation=3, clip=None)
    base = base_of(decoder, skip_tokens=skip_tokens, on=on)
    _, report = train_fills(base, [constant(decoder, 0.1)], options, Unattended(), ignore)
    point = report.points[-1]
    assert point.objective is not None and point.gradient_norm is not None
    return point.objective, point.gradient_norm


def by_hand(
    decoder: Decoder, objective: Objective, skip_tokens: int = 0, prompts: tuple[int, ...] | None = None
) -> tuple[float, float]:
    """The same from the model's own forward on one sequence at a time, in plain PyTorch."""
    made = corpus()
    update = Constant(torch.full((decoder.hidden_size,), 0.1))
    update.vector.requires_grad_()
    repair = Repair("hand", REMOVED, {2: BlockEdit(beside=update)}, "hand")
    streams: list[Tensor] = []
    kl, loss, hidden = [], [], []
    for number, (start, end) in enumerate(itertools.pairwise(made.starts)):
        first = 0 if prompts is None else prompts[number] - 1
        ids = torch.from_numpy(made.ids[start:end].astype("int64"))[None]
        with torch.no_grad():
            hook = decoder.blocks[3].register_forward_hook(lambda _m, _a, out: streams.append(out))
            dense = decoder.model(ids, use_cache=False).logits
            hook.remove()
        with removed(Subnetwork(decoder, REMOVED, (repair,))):
            hook = decoder.blocks[3].register_forward_hook(lambda _m, _a, out: streams.append(out))
            logits = decoder.model(ids, use_cache=False).logits
            hook.remove()
        want, got = streams[-2:]
        p, q = dense.log_softmax(-1), logits.log_softmax(-1)
        kl.append(functional.kl_div(q, p, reduction="none", log_target=True).sum(-1).flatten()[first:])
        loss.append(functional.cross_entropy(logits[0, first:-1], ids[0, first + 1 :], reduction="none"))
        hidden.append(((got - want).square().sum(-1) / want.square().sum(-1)).flatten()[skip_tokens:])
    value = (
        objective.kl * torch.cat(kl).mean()
        + objective.loss * torch.cat(loss).mean()
        + objective.hidden * torch.cat(hidden).mean()
    )
    value.backward()  # type: ignore[no-untyped-call]
    assert update.vector.grad is not None
    return float(value.detach()), float(update.vector.grad.norm())


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(
    "objective",
    [
        Objective(kl=1),
        Objective(kl=0, loss=1, hidden=0),
        Objective(hidden=1),
        Objective(kl=0.3, loss=0.5, hidden=2),
    ],
    ids=str,
)
def test_the_objective_and_its_gradient_are_those_of_plain_pytorch(
    objective: Objective, checkpointing: bool
) -> None:
    decoder = llama()
    options = structs.replace(
        SHORT, objective=objective, teacher_top=1000, activation_checkpointing=checkpointing
    )
    # The stored top logits are rounded to fp16.
    assert first_objective(decoder, options) == pytest.approx(by_hand(decoder, objective), rel=2e-3)


@pytest.mark.parametrize(
    "objective", [Objective(kl=1), Objective(loss=1), Objective(kl=0.3, loss=1, hidden=1)]
)
def test_prompts_can_be_left_out_of_what_logits_are_trained_on(objective: Objective) -> None:
    decoder = llama()
    options = structs.replace(SHORT, objective=objective, teacher_top=1000, written_only=True)
    expected = by_hand(decoder, objective, prompts=PROMPTS)
    assert first_objective(decoder, options, on=written()) == pytest.approx(expected, rel=2e-3)
    # Unless it is asked for, they count as any token does.
    whole = structs.replace(options, written_only=False)
    assert first_objective(decoder, whole, on=written()) == first_objective(decoder, whole)


def test_written_tokens_alone_are_refused_where_there_are_none_or_nothing_reads_them() -> None:
    decoder = llama()
    for objective, on, why in (
        (Objective(loss=1), corpus(), "no model wrote this corpus"),
        (Objective(hidden=1), written(), "kl and loss weigh nothing"),
    ):
        options = structs.replace(SHORT, objective=objective, written_only=True)
        with pytest.raises(DepthkitError, match=why):
            first_objective(decoder, options, on=on)


def test_first_tokens_are_left_out_of_the_hidden_error_alone() -> None:
    decoder, objective = llama(), Objective(loss=1, hidden=1)
    options = structs.replace(SHORT, objective=objective)
    assert first_objective(decoder, options, 4) == pytest.approx(by_hand(decoder, objective, 4), rel=1e-5)


@pytest.mark.parametrize("name", ["llama", "gpt2", "bloom", "gpt_neox-parallel", "opt"])
def test_slices_of_the_head_and_of_the_batch_change_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = tiny(name)
    whole = structs.replace(SHORT, batch_size=6)
    split = structs.replace(SHORT, batch_size=2, accumulation=3)
    expected, report = trained_constant(decoder, whole)
    monkeypatch.setitem(SLICE_BYTES, "cpu", 4 * 96 * 2 * 5)
    got, again = trained_constant(decoder, split)
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=1e-5)
    assert [p.objective for p in again.points] == pytest.approx(
        [p.objective for p in report.points], rel=1e-4
    )
    assert report.tokens == again.tokens == 6 * 94


def adapters(decoder: Decoder, parallel: bool) -> list[Fill]:
    """A module in every place there is."""
    h = decoder.hidden_size
    low_rank = LowRank(torch.randn(h, 3) * 0.1, torch.zeros(3, h), torch.zeros(h), "normed", 1e-6)
    attention, feed_forward = Unit("attention", 1), Unit("feed-forward", 4)
    vector = Constant(torch.zeros(h))
    return [
        Fill((attention,), {1: BlockEdit(beside=low_rank) if parallel else BlockEdit(before=low_rank)}),
        Fill(REMOVED, {2: BlockEdit(beside=Linear(torch.zeros(h, h), torch.zeros(h)))}),
        Fill((feed_forward,), {4: BlockEdit(beside=vector) if parallel else BlockEdit(after=vector)}),
    ]


@pytest.mark.parametrize("name", ["llama", "gpt_neox-parallel", "bloom", "gpt2"])
def test_every_place_learns_and_the_dense_model_stays_as_it_was(name: str) -> None:
    """REC3."""
    decoder = tiny(name)
    decoder.model.requires_grad_(True)
    fills = adapters(decoder, decoder.parallel)
    before = weights_checksum(decoder), [*decoder.model.modules()], torch.get_rng_state()
    starts = [value.clone() for fill in fills for value in parameters_of(fill)]
    units = tuple(unit for fill in fills for unit in fill.removed)
    options = structs.replace(SHORT, activation_checkpointing=True)
    got, report = train_fills(base_of(decoder, units), fills, options, Unattended(), ignore)
    assert report.change > 0
    assert report.trained == sum(value.numel() for value in starts)
    for fill, made in zip(fills, got, strict=True):
        assert made.removed == fill.removed
        for old, new in zip(parameters_of(fill), parameters_of(made), strict=True):
            assert not torch.equal(old, new)
            assert not new.requires_grad and new.grad is None
    assert all(map(torch.equal, starts, (value for fill in fills for value in parameters_of(fill))))
    assert weights_checksum(decoder) == before[0]
    assert all(a is b for a, b in zip(decoder.model.modules(), before[1], strict=True))
    assert torch.equal(torch.get_rng_state(), before[2])
    assert all(parameter.requires_grad and parameter.grad is None for parameter in decoder.model.parameters())
    assert not hooks_of(decoder.model)


def parameters_of(fill: Fill) -> list[nn.Parameter]:
    places = (module for edit in fill.edits.values() for module in (edit.before, edit.beside, edit.after))
    return [value for module in places if module is not None for value in module.parameters()]


def hooks_of(model: nn.Module) -> list[object]:
    return [
        hook for module in model.modules() for hook in (*module._forward_hooks, *module._forward_pre_hooks)
    ]


def test_training_lowers_its_objective_and_tells_how_it_goes() -> None:
    points: list[TrainingPoint] = []
    options = structs.replace(SHORT, steps=30, batch_size=6, learning_rate=3e-2)
    decoder = llama()
    _, report = train_fills(base_of(decoder), [constant(decoder)], options, Unattended(), points.append)
    values = [point.objective for point in points]
    assert values[-1] is not None and values[0] is not None and values[-1] < values[0] - 0.05
    assert tuple(points) == report.points
    assert [point.step for point in points] == list(range(1, 31))
    assert all(point.tokens_per_second > 0 for point in points)
    assert points[-1].seconds_left == 0
    rates = [point.learning_rate for point in points]
    assert rates == [3e-2 * learning_rate_factor(step, 30, 2) for step in range(30)]
    assert (report.stopped, report.steps, report.best_step) == ("steps", 30, 30)


def test_the_learning_rate_goes_up_in_a_line_and_down_to_nothing() -> None:
    factors = [learning_rate_factor(taken, 10, 4) for taken in range(11)]
    assert factors[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert factors[5:] == sorted(factors[5:], reverse=True)
    assert factors[10] == pytest.approx(0)
    assert learning_rate_factor(0, 1, 0) == 1


def test_held_out_sequences_are_scored_and_the_best_state_is_kept() -> None:
    decoder = llama()
    # Far too fast: the state gets worse.
    options = structs.replace(SHORT, steps=8, validation=2, validate_every=3, learning_rate=3.0)
    vector, report = trained_constant(decoder, options)
    scored = {point.step: point.validation for point in report.points if point.validation is not None}
    assert list(scored) == [0, 3, 6, 8]
    assert report.points[0].objective is None
    assert report.best_step == min(scored, key=lambda step: scored[step])
    assert report.best_step == 0 and not vector.any()
    assert report.change > 0
    held_out = corpus(17, 17, 17, 9)
    with_fewer = structs.replace(options, validation=0)
    _, other = train_fills(
        base_of(decoder, on=held_out), [constant(decoder)], with_fewer, Unattended(), ignore
    )
    assert [p.objective for p in other.points] == [p.objective for p in report.points[1:]]


def test_it_stops_when_patience_runs_out() -> None:
    options = structs.replace(SHORT, steps=50, validation=2, validate_every=2, learning_rate=3.0, patience=3)
    _, report = trained_constant(llama(), options)
    assert (report.stopped, report.steps, report.best_step) == ("patience", 6, 0)


def test_weights_in_bf16_learn_through_copies_in_fp32() -> None:
    decoder = llama(dtype=torch.bfloat16)
    # A hundredth of the distance between neighbours of 1 in bf16.
    options = structs.replace(SHORT, steps=60, warmup=0, learning_rate=1e-4, objective=Objective(kl=1))
    fills, report = train_fills(base_of(decoder), [constant(decoder, 1.0)], options, Unattended(), ignore)
    update = fills[0].edits[2].beside
    assert isinstance(update, Constant) and update.vector.dtype is torch.bfloat16
    assert 0 < report.change < 1e-4 * 60 * 32
    assert (update.vector != 1).any()


def test_what_is_not_a_number_stops_at_its_step(tmp_path: Path) -> None:
    options = structs.replace(SHORT, steps=9, learning_rate=1e30, folder=str(tmp_path / "run"), warmup=0)
    with pytest.raises(
        DepthkitError, match=r"step 2 of 9: the objective is .*state after step 1 is kept"
    ) as caught:
        trained_constant(llama(), options)
    assert caught.value.code == "NOT_MEASURABLE"
    assert caught.value.details["step"] == 2
    assert visible(tmp_path / "run") == ["step-00000001", "training.json"]


def test_a_model_with_nan_is_refused_before_the_first_step() -> None:
    """By the dense model's own output, where that is compared with."""
    with pytest.raises(
        DepthkitError, match=r"dense model's output.*NaN or infinite at step 0, in float32"
    ) as caught:
        trained_constant(llama(nan_block=4))
    assert caught.value.code == "NOT_MEASURABLE"
    options = structs.replace(SHORT, objective=Objective(kl=0, loss=1))
    with pytest.raises(DepthkitError, match=r"the objective is not a number: logits are NaN") as caught:
        trained_constant(llama(nan_block=4), options)
    assert caught.value.code == "NOT_MEASURABLE" and caught.value.details["dtype"] == "float32"
    assert caught.value.details["items"] == caught.value.details["of"] > 0


def test_a_parameter_that_nothing_reaches_is_named() -> None:
    decoder = llama()
    fills = [constant(decoder), Fill((Unit("block", 5),), {5: BlockEdit(beside=Constant(torch.zeros(32)))})]
    options = structs.replace(SHORT, objective=Objective(hidden=1))

    class Deaf(Constant):
        def forward(self, x: Tensor) -> Tensor:
            return torch.zeros_like(x) + self.vector.detach()

    deaf = Deaf(torch.zeros(32))
    fills[1] = Fill(fills[1].removed, {5: BlockEdit(beside=deaf)})
    with pytest.raises(DepthkitError, match=r"no gradient reaches 5\.beside\.vector") as caught:
        train_fills(base_of(decoder, (*REMOVED, Unit("block", 5))), fills, options, Unattended(), ignore)
    assert caught.value.details["parameter"] == "5.beside.vector"


def test_what_is_left_open_is_chosen_and_what_is_said_stays() -> None:
    chosen = settled(TrainingOptions(steps=200), 20)
    assert (chosen.learning_rate, chosen.warmup, chosen.validation, chosen.validate_every) == (
        1e-3,
        20,
        2,
        20,
    )
    little = settled(TrainingOptions(steps=5), 7, learning_rate=2e-4)
    assert (little.learning_rate, little.warmup, little.validation, little.validate_every) == (2e-4, 1, 0, 1)
    said = TrainingOptions(learning_rate=0.5, warmup=0, validation=0, validate_every=3)
    assert structs.asdict(settled(said, 20)) == structs.asdict(said)


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        ({"objective": Objective()}, "INVALID_ARGUMENT", "more than 0"),
        ({"validation": 6}, "NOT_ENOUGH_TEXT", "leaves none"),
        ({"patience": 2}, "INVALID_ARGUMENT", "holds out no sequences"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changes: dict[str, object], code: str, says: str) -> None:
    with pytest.raises(DepthkitError, match=says) as caught:
        trained_constant(llama(), structs.replace(SHORT, **changes))
    assert caught.value.code == code


def test_hidden_error_without_a_gap_is_refused() -> None:
    decoder = llama()
    fill = Fill((), {2: BlockEdit(after=Constant(torch.zeros(32)))})
    with pytest.raises(DepthkitError, match="no gap lies at or above block 2"):
        train_fills(base_of(decoder, ()), [fill], SHORT, Unattended(), ignore)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_nothing_is_left_on_disk_or_in_the_model_after_a_cancel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpointing: bool
) -> None:
    monkeypatch.setenv("DEPTHKIT_HOME", str(tmp_path / "home"))
    decoder, looks = llama(), Looks()
    before = weights_checksum(decoder)
    options = structs.replace(SHORT, activation_checkpointing=checkpointing)
    trained_constant(decoder, options, looks)
    for share in (0.05, 0.3, 0.6, 0.95):
        with pytest.raises(DepthkitError) as caught:
            trained_constant(decoder, options, CancelAfter(int(looks.count * share)))
        assert caught.value.code == "CANCELLED"
        assert not list((tmp_path / "home").iterdir())
        assert not hooks_of(decoder.model)
        assert weights_checksum(decoder) == before


def test_two_trainings_of_one_seed_are_the_same_and_of_two_are_not() -> None:
    decoder = llama()
    one, two, three = (
        trained_constant(decoder, structs.replace(SHORT, seed=seed, batch_size=1)) for seed in (4, 4, 5)
    )
    assert torch.equal(one[0], two[0]) and curve(one[1].points) == curve(two[1].points)
    assert not torch.equal(one[0], three[0])


def test_what_the_teacher_takes_on_disk_is_what_was_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []

    class Measuring(Unattended):
        def check(self) -> None:
            sizes.extend(path.stat().st_size for path in (tmp_path).glob(".teacher.*.partial/new/records"))

    monkeypatch.setenv("DEPTHKIT_HOME", str(tmp_path))
    decoder = llama()
    on = corpus(*[20] * 40)
    options = structs.replace(SHORT, objective=Objective(kl=1), validation=4, teacher_top=10)
    train_fills(base_of(decoder, on=on), [constant(decoder)], options, Measuring(), ignore)
    # 6 steps of 2 sequences and 4 held-out ones, not all 40: 6 bytes per logit and 4 for the rest.
    assert max(sizes) == (12 + 4) * 20 * (6 * 10 + 4)
