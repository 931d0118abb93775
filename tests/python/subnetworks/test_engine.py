"""The engine against physically edited models and against definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from depthkit_worker.contract.wire import EngineOptions, Measure, ScoredPositions
from depthkit_worker.data.corpus import Corpus
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import Constant
from depthkit_worker.models.units import UNIT_KINDS, Unit
from depthkit_worker.repair.repair import BlockEdit, Repair, slot_of, update_at
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.engine import EngineResult, evaluate_subnetworks
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.head import Head
from depthkit_worker.subnetworks.masks import Subnetworks, by_unit, unpack_masks
from depthkit_worker.subnetworks.positions import MEASURES
from depthkit_worker.subnetworks.steps import Stepper
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from depthkit_worker.subnetworks.trie import Trie, walk
from subnetworks.physical import (
    Physical,
    all_masks,
    corpus_of,
    measures_by_definition,
    one_removed,
    random_masks,
)
from tiny import DEPTH, FAMILY_MODELS, tiny_model, token_ids

IDS = token_ids(2, 11)
PLAIN = EngineOptions()
SUBLAYERS = (
    "attention.0",
    "feed-forward.0",
    "attention.1",
    "feed-forward.1",
    "attention.3",
    "feed-forward.4",
)
MIXED = tuple(Unit.parse(name) for name in (*SUBLAYERS, "block.2", "block.5"))


def evaluate(
    decoder: Decoder,
    subnetworks: Subnetworks,
    measures: tuple[Measure, ...] = MEASURES,
    options: EngineOptions = PLAIN,
    corpus: Corpus | None = None,
) -> EngineResult:
    return evaluate_subnetworks(
        decoder, corpus or corpus_of(list(IDS)), subnetworks, measures, options, Unattended()
    )


@pytest.mark.parametrize("name", ["llama", "gpt_neox-parallel", "olmo2", "qwen2_moe"])
@torch.inference_mode()
def test_every_subnetwork_equals_the_physically_edited_model(name: str) -> None:
    model = tiny_model(name)
    physical = Physical(model)
    dense = physical.logits(IDS, ())
    masks = all_masks(len(MIXED))
    result = evaluate(Decoder(model), Subnetworks(MIXED, masks))
    expected = [
        measures_by_definition(
            physical.logits(IDS, {unit for unit, stays in zip(MIXED, kept, strict=True) if not stays}),
            dense,
            IDS,
        )
        for kept in masks
    ]
    np.testing.assert_allclose(result.values, expected, rtol=1e-5, atol=1e-6)
    assert result.distinct == 256 and result.counts == (20, 22, 22)
    assert result.values[-1, 1:].tolist() == [0.0, 0.0], "the dense model is no way from itself"


@pytest.mark.parametrize("name", FAMILY_MODELS)
@torch.inference_mode()
def test_all_families_agree_with_gates_on_the_live_model(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    units = [Unit(kind, index) for index in range(DEPTH) for kind in UNIT_KINDS]
    masks = random_masks(12, len(units), keep=0.8)
    result = evaluate(decoder, Subnetworks(tuple(units), masks))
    dense = decoder.model(input_ids=IDS, use_cache=False).logits
    for kept, values in zip(masks, result.values, strict=True):
        with removed(
            Subnetwork(decoder, tuple(unit for unit, stays in zip(units, kept, strict=True) if not stays))
        ):
            logits = decoder.model(input_ids=IDS, use_cache=False).logits
        np.testing.assert_allclose(values, measures_by_definition(logits, dense, IDS), rtol=2e-5, atol=1e-5)
    assert torch.equal(decoder.model(input_ids=IDS, use_cache=False).logits, dense), (
        "the model was left changed"
    )


@pytest.mark.parametrize("name", FAMILY_MODELS)
@torch.inference_mode()
def test_nothing_removed_gives_the_models_own_logits_bit_for_bit(name: str) -> None:
    decoder = Decoder(tiny_model(name))
    assert torch.equal(engine_logits(decoder), decoder.model(input_ids=IDS, use_cache=False).logits)


def engine_logits(decoder: Decoder, siblings: bool = True) -> Tensor:
    """The whole model's logits, tile by tile, with neighbours in the trie that make every block split."""
    codes = np.zeros((1, decoder.depth), dtype=np.uint8)
    if siblings:
        codes = np.concatenate([codes, 2 * np.eye(decoder.depth, dtype=np.uint8)[::-1]])
    replay = decoder.begin(IDS)
    head = Head(decoder)
    for row, state in walk(Trie(codes), Stepper(decoder), replay, lambda *_: None):
        if row == 0:
            normed = head.read(state.flatten(0, 1))
            return torch.cat([head.logits(normed, tile) for tile in head.tiles(len(normed))], 1).view(
                *IDS.shape, -1
            )
    raise AssertionError("the walk did not reach the whole model")


def test_equal_subnetworks_are_computed_once_and_told_to_each() -> None:
    decoder = Decoder(tiny_model("llama"))
    units = (Unit("block", 1), Unit("attention", 1), Unit("feed-forward", 1))
    masks = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1], [1, 1, 1], [1, 1, 1]], dtype=np.bool_)
    seen: dict[int, list[float]] = {}

    def on_values(
        rows: NDArray[np.int64], values: NDArray[np.float64], counts: tuple[int, ...], _: object
    ) -> None:
        for row, of_row in zip(rows.tolist(), values.tolist(), strict=True):
            assert row not in seen
            seen[row] = of_row

    corpus = corpus_of(list(IDS))
    result = evaluate_subnetworks(
        decoder, corpus, Subnetworks(units, masks), MEASURES, PLAIN, Unattended(), on_values
    )
    assert result.distinct == 2
    assert result.values[0].tolist() == result.values[1].tolist() == result.values[2].tolist()
    assert [seen[row] for row in range(5)] == result.values.tolist()


def test_values_do_not_depend_on_batches_or_pieces() -> None:
    decoder = Decoder(tiny_model("llama"))
    corpus = corpus_of([*token_ids(5, 12, seed=1), token_ids(1, 7, seed=2)[0]])
    units = tuple(Unit("block", index) for index in range(DEPTH))
    parts = tuple(Unit(kind, index) for index in range(DEPTH) for kind in UNIT_KINDS[1:])
    for request in (Subnetworks(units, all_masks(DEPTH)), Subnetworks(parts, random_masks(300, 2 * DEPTH))):
        one, *others = (
            evaluate(decoder, request, options=EngineOptions(batch_size=size), corpus=corpus)
            for size in (6, 4, 1)
        )
        for other in others:
            np.testing.assert_allclose(other.values, one.values, rtol=1e-6, atol=1e-6)
            assert other.counts == one.counts == (61, 67, 67)


@torch.inference_mode()
def test_padding_and_scored_positions_against_the_definition() -> None:
    decoder = Decoder(tiny_model("llama"))
    rows = [token_ids(1, length, seed=length)[0] for length in (9, 5, 12)]
    request = one_removed([Unit("block", 2)])
    cases = {
        ScoredPositions(every=3): (
            {9: [2, 5], 5: [2], 12: [2, 5, 8]},
            {9: [2, 5, 8], 5: [2], 12: [2, 5, 8, 11]},
        ),
        ScoredPositions(last=2): ({9: [6, 7], 5: [2, 3], 12: [9, 10]}, {9: [7, 8], 5: [3, 4], 12: [10, 11]}),
        ScoredPositions(): (
            {n: list(range(n - 1)) for n in (9, 5, 12)},
            {n: list(range(n)) for n in (9, 5, 12)},
        ),
    }
    for positions, (for_loss, for_kl) in cases.items():
        result = evaluate(
            decoder, request, ("kl", "loss"), EngineOptions(scored_positions=positions), corpus_of(rows)
        )
        losses: list[float] = []
        kls: list[float] = []
        for ids in rows:
            z = decoder.model(input_ids=ids[None]).logits[0].double().log_softmax(-1)
            with removed(Subnetwork(decoder, (Unit("block", 2),))):
                y = decoder.model(input_ids=ids[None]).logits[0].double().log_softmax(-1)
            losses += [-float(y[at, ids[at + 1]]) for at in for_loss[len(ids)]]
            kls += [float((z[at].exp() * (z[at] - y[at])).sum()) for at in for_kl[len(ids)]]
        assert result.counts == (len(kls), len(losses))
        np.testing.assert_allclose(result.values[0], [np.mean(kls), np.mean(losses)], rtol=1e-5)


class _Adds(nn.Module):
    """In a sublayer's place: an update that is the same everywhere."""

    def __init__(self, update: Tensor, attention: bool) -> None:
        super().__init__()
        self.update, self.attention = update, attention

    def forward(self, hidden_states: Tensor, **_keywords: object) -> Tensor | tuple[Tensor, None]:
        update = torch.zeros_like(hidden_states) + self.update
        return (update, None) if self.attention else update


def repair_of(unit: Unit, edit: BlockEdit) -> Repair:
    return Repair("by hand", (unit,), {unit.index: edit}, digest=str(unit))


@pytest.mark.parametrize(("name", "attention"), [("llama", "self_attn"), ("gpt_neox-parallel", "attention")])
@torch.inference_mode()
def test_a_repair_stands_in_the_place_of_its_unit(name: str, attention: str) -> None:
    decoder = Decoder(tiny_model(name))
    constants = {Unit(kind, 2): torch.randn(32) for kind in UNIT_KINDS}
    repairs = tuple(
        repair_of(unit, update_at(slot_of(unit.kind, decoder.parallel), Constant(constant)))
        for unit, constant in constants.items()
    )
    units = tuple(Unit(kind, 2) for kind in UNIT_KINDS)
    masks = np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0], [1, 0, 0], [1, 1, 1]], dtype=np.bool_)
    result = evaluate(decoder, Subnetworks(units, masks, repairs, repaired=~masks))
    dense = decoder.model(input_ids=IDS).logits
    for kept, values in zip(masks, result.values, strict=True):
        model = tiny_model(name)
        blocks = Decoder(model).blocks
        if not kept[1]:
            setattr(blocks[2], attention, _Adds(constants[units[1]], attention=True))
        if not kept[2]:
            blocks[2].mlp = _Adds(constants[units[2]], attention=False)
        if not kept[0]:
            blocks[2] = _Adds(constants[units[0]], attention=False)
            blocks[2].forward = lambda x, **_: x + constants[units[0]]
        expected = measures_by_definition(model(input_ids=IDS, use_cache=False).logits, dense, IDS)
        np.testing.assert_allclose(values, expected, rtol=1e-5, atol=1e-6)
    assert result.distinct == 5


class _Stops(Unattended):
    def __init__(self, after: int) -> None:
        self.left = after

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise cancelled()


def test_a_cancel_stops_anywhere_and_leaves_the_model_whole() -> None:
    decoder = Decoder(tiny_model("llama"))
    before = engine_logits(decoder)
    for after in (0, 1, 7, 20, 35):
        with pytest.raises(DepthkitError) as caught:
            evaluate_subnetworks(
                decoder, corpus_of(list(IDS)), one_removed(MIXED), MEASURES, PLAIN, _Stops(after)
            )
        assert caught.value.code == "CANCELLED"
    assert torch.equal(engine_logits(decoder), before)


def test_progress_ends_where_it_said_it_would() -> None:
    reports: list[tuple[int, int | None]] = []

    class Job(Unattended):
        def report(self, phase: str, done: int, total: int | None, unit: str = "") -> None:
            assert (phase, unit) == ("subnetworks", "block evaluations")
            reports.append((done, total))

    corpus = corpus_of(list(token_ids(4, 12)))
    options = EngineOptions(batch_size=2)
    asked = Subnetworks(MIXED, all_masks(8))
    evaluate_subnetworks(Decoder(tiny_model("llama")), corpus, asked, ("loss",), options, Job())
    assert reports[-1][0] == reports[-1][1]
    assert reports == sorted(reports) and len({total for _, total in reports}) == 1


def test_packed_masks_are_read_from_the_lowest_bit() -> None:
    masks = random_masks(20, 11)
    packed = np.packbits(masks, axis=1, bitorder="little")
    assert (
        packed.shape == (20, 2) and packed[0, 0] & 1 == masks[0, 0] and packed[0, 1] & 4 == 4 * masks[0, 10]
    )
    np.testing.assert_array_equal(unpack_masks(packed, 11), masks)
    beyond = np.bitwise_or(packed, np.uint8(128))
    for wrong in (packed[:, :1], beyond, packed.view(np.int8)):
        with pytest.raises(DepthkitError):
            unpack_masks(wrong, 11)  # type: ignore[arg-type]


def test_players_are_columns_of_units_that_stay_or_go_together() -> None:
    players = [(Unit("block", 1), Unit("attention", 3)), (Unit("block", 4),)]
    units, kept = by_unit(players, np.array([[True, False], [False, True]]))
    assert units == (Unit("block", 1), Unit("attention", 3), Unit("block", 4))
    assert kept.tolist() == [[True, True, False], [False, False, True]]
    twice = by_unit([players[0], players[0][:1]], np.array([[True, False]]))
    with pytest.raises(DepthkitError, match=r"block\.1 is named more than once"):
        evaluate(Decoder(tiny_model("llama")), Subnetworks(*twice))


def test_a_measure_named_twice_is_refused() -> None:
    with pytest.raises(DepthkitError) as caught:
        evaluate(Decoder(tiny_model("llama")), one_removed(MIXED), ("loss", "loss"))
    assert caught.value.code == "INVALID_ARGUMENT"
