"""Prune&Comp: one factor per gap, by each ratio, in the engine, alone and folded into plain checkpoints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from depthkit_worker.contract.wire import RepairSaveOptions, ScaleOptions, ScaleRatio
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.stream_updates import Constant, Scale
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.repair.repair import BlockEdit, Repair, update_at
from depthkit_worker.repair.scale import fit_scale
from depthkit_worker.repair.storage import added_parameters, load_repairs, make_repair, save_repairs
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from export.checkpoints import logits, reload, save, saved_config
from family_models import NORMED
from influence.builders import llama
from repair.builders import base_of, block_states, gap_states, repairs_of, units_of
from tiny import FAMILY_MODELS, tiny_model, token_ids

FOLDABLE = [name for name in FAMILY_MODELS if name not in NORMED]


def fit(base: Base, ratio: ScaleRatio = "mean", **options: object) -> Fitted:
    return fit_scale(ScaleOptions(ratio=ratio, **options), base, Unattended())  # type: ignore[arg-type]


def factors(fitted: Fitted) -> list[float]:
    found = []
    for fill in fitted.fills:
        (edit,) = fill.edits.values()
        (module,) = edit.modules.values()
        assert isinstance(module, Scale)
        found.append(module.factor)
    assert found == [gap.factor for gap in fitted.gaps]
    return found


@pytest.mark.parametrize("unit", ["block.2", "attention.2", "feed-forward.2"])
@pytest.mark.parametrize("family", ["llama", "gpt_neox-parallel", "granite", "mixtral"])
def test_the_factor_is_the_ratio_that_was_asked_for(family: str, unit: str) -> None:
    base = base_of(family, unit, skip=1)
    x, y = gap_states(base, Unit.parse(unit))
    front, behind = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
    expected: dict[ScaleRatio, float] = {
        "mean": behind.mean() / front.mean(),
        "median": float(np.median(behind / front)),
        "least-squares": (x * y).sum() / (x * x).sum(),
    }
    for ratio, value in expected.items():
        fitted = fit(base, ratio)
        assert factors(fitted) == [pytest.approx(value, rel=1e-5)]
        error = np.square(value * x - y).sum() / np.square(y - x).sum()
        assert fitted.gaps[0].repaired_error == pytest.approx(error, rel=1e-4)


def test_first_tokens_are_in_the_other_error() -> None:
    fitted, all_of_them = fit(base_of("llama", "block.2", skip=2)), base_of("llama", "block.2")
    x, y = gap_states(all_of_them, Unit.parse("block.2"))
    error = np.square(factors(fitted)[0] * x - y).sum() / np.square(y - x).sum()
    assert fitted.gaps[0].repaired_error_all == pytest.approx(error, rel=1e-4)
    assert fitted.gaps[0].repaired_error_all != pytest.approx(fitted.gaps[0].repaired_error, rel=1e-3)


@pytest.mark.parametrize("ratio", ["mean", "median", "least-squares"])
def test_a_gap_that_changes_nothing_has_the_factor_1(ratio: ScaleRatio) -> None:
    base = base_of(llama(identity=(2,)), "block.2")
    fitted = fit(base, ratio)
    assert factors(fitted) == [1.0]
    assert torch.equal(logits_of(base, ()), logits_of(base, repairs_of(base, fitted)))


def logits_of(base: Base, repairs: tuple[Repair, ...]) -> torch.Tensor:
    with removed(Subnetwork(base.decoder, base.subnetwork.units, repairs)):
        return logits(base.decoder.model, token_ids(2, 11))


def test_with_the_pruned_reference_a_gap_sees_what_was_scaled_below() -> None:
    base = base_of("llama", "block.1", "block.3")
    fitted = fit(base, reference="pruned")
    below = repairs_of(base, fitted)[:1]
    x, y = block_states(base, 3, 3, units_of("block.1"), below)
    expected = np.linalg.norm(y, axis=1).mean() / np.linalg.norm(x, axis=1).mean()
    assert factors(fitted)[1] == pytest.approx(expected, rel=1e-5)


def test_it_adds_no_parameter() -> None:
    base = base_of("llama", "block.2")
    (repair,) = repairs_of(base, fit(base))
    assert added_parameters(base.decoder, repair) == 0


EVERYWHERE: list[tuple[str, tuple[str, ...]]] = [(name, ("block.0", "block.3")) for name in FOLDABLE]
INSIDE: list[tuple[str, tuple[str, ...]]] = [
    (name, units) for name in ("llama", "llama-tied") for units in (("block.2", "block.4"), ("block.5",))
]


@pytest.mark.parametrize(("name", "removal"), EVERYWHERE + INSIDE)
def test_the_plain_checkpoint_is_the_live_model(name: str, removal: tuple[str, ...], tmp_path: Path) -> None:
    base = base_of(name, *removal)
    repairs = repairs_of(base, fit(base))
    before = logits(base.decoder.model, token_ids(2, 11))
    result = save(base.decoder, base.subnetwork.units, tmp_path / "o", repairs=repairs)
    assert result.layout == "plain"
    # Their final norm cannot make up for what a tied head reads.
    unties = name in ("gemma", "olmo")
    tied = base.decoder.config.tie_word_embeddings and not unties
    assert saved_config(tmp_path / "o").get("tie_word_embeddings") in (None, tied)
    model = reload(tmp_path / "o")
    expected = logits_of(base, repairs)
    found = logits(model, token_ids(2, 11))
    assert float((found - expected).abs().max() / expected.abs().max().clamp(min=1)) < 1e-5
    if removal != ("block.5",):  # Behind the last block nothing but the final norm reads the stream.
        assert not torch.allclose(found, logits_of(base, ()), atol=1e-3)
    assert torch.equal(logits(base.decoder.model, token_ids(2, 11)), before)


def by_hand(decoder: Decoder, unit: str, factor: float) -> Repair:
    index = Unit.parse(unit).index
    return make_repair(decoder, "by-hand", units_of(unit), {index: update_at("beside", Scale(factor))}, "{}")


def test_factors_of_several_gaps_are_one_product_in_the_weights_above(tmp_path: Path) -> None:
    decoder = Decoder(tiny_model("llama-tied"))
    repairs = (by_hand(decoder, "block.1", 1.25), by_hand(decoder, "block.3", 1.6))
    save(decoder, units_of("block.1", "block.3"), tmp_path / "o", repairs=repairs)
    found, dense = reload(tmp_path / "o").state_dict(), decoder.model.state_dict()
    for new, old, product in [(0, 0, 1.0), (1, 2, 1.25), (2, 4, 2.0), (3, 5, 2.0)]:
        for part in ("self_attn.o_proj.weight", "mlp.down_proj.weight"):
            expected = dense[f"model.layers.{old}.{part}"] / product
            torch.testing.assert_close(found[f"model.layers.{new}.{part}"], expected, rtol=1e-6, atol=0)
    for name in ("model.embed_tokens.weight", "model.norm.weight", "model.layers.1.input_layernorm.weight"):
        assert torch.equal(found[name], dense[name.replace("layers.1", "layers.2")])


@pytest.mark.parametrize("name", ["llama", "llama-tied", "gpt2", "bloom"])
def test_in_front_of_the_first_block_what_enters_takes_the_factor(name: str, tmp_path: Path) -> None:
    decoder = Decoder(tiny_model(name))
    repairs = (by_hand(decoder, "block.0", 2.0),)
    result = save(decoder, units_of("block.0"), tmp_path / "o", repairs=repairs)
    assert result.layout == "plain"
    found, dense = reload(tmp_path / "o"), decoder.model
    embedding = found.get_input_embeddings().get_parameter("weight")
    head = found.get_output_embeddings().get_parameter("weight")
    before = dense.get_input_embeddings().get_parameter("weight")
    assert torch.equal(embedding, before * (1 if name == "bloom" else 2))
    assert (head is embedding) is (name != "llama")
    norm = decoder.family.final_norm + ".weight"
    halved = name in ("llama-tied", "gpt2")
    assert torch.equal(found.get_parameter(norm), dense.get_parameter(norm) / (2 if halved else 1))


def test_constants_above_a_factor_are_divided_as_well(tmp_path: Path) -> None:
    decoder = Decoder(tiny_model("llama-tied"))
    units = units_of("block.0", "block.2", "block.4")
    vectors = [torch.randn(32, generator=torch.Generator().manual_seed(seed)) * 0.3 for seed in (1, 2)]
    repairs = (
        make_repair(decoder, "by-hand", units[:1], {0: BlockEdit(beside=Constant(vectors[0]))}, "{}"),
        by_hand(decoder, "block.2", 1.5),
        make_repair(decoder, "by-hand", units[2:], {4: BlockEdit(beside=Constant(vectors[1]))}, "{}"),
    )
    assert save(decoder, units, tmp_path / "o", repairs=repairs).layout == "plain"
    with removed(Subnetwork(decoder, units, repairs)):
        expected = logits(decoder.model, token_ids(2, 11))
    difference = (logits(reload(tmp_path / "o"), token_ids(2, 11)) - expected).abs().max()
    assert float(difference / expected.abs().max()) < 1e-5


def test_depthkits_own_form_holds_it_as_it_is(tmp_path: Path) -> None:
    base = base_of("llama-tied", "attention.1", "feed-forward.3")
    repairs = repairs_of(base, fit(base))
    result = save(base.decoder, base.subnetwork.units, tmp_path / "o", repairs=repairs)
    assert result.layout == "depthkit"
    model = reload(tmp_path / "o", trust_remote_code=True)
    expected = logits_of(base, repairs)
    assert float((logits(model, token_ids(2, 11)) - expected).abs().max()) < 1e-5


@pytest.mark.parametrize("name", NORMED)
def test_families_that_norm_what_a_sublayer_gives_are_refused_by_name(name: str) -> None:
    with pytest.raises(DepthkitError, match=base_of(name).decoder.family.model_type) as caught:
        fit(base_of(name, "block.2"))
    assert caught.value.code == "INVALID_ARGUMENT"


def test_a_factor_that_would_turn_the_stream_round_is_refused() -> None:
    decoder = llama(identity=(1,))
    block = decoder.blocks[1]
    block.register_forward_hook(lambda _block, _positional, output: -output)
    with pytest.raises(DepthkitError, match=r"factor by least-squares is -1") as caught:
        fit(base_of(decoder, "block.1"), "least-squares")
    assert caught.value.code == "NOT_MEASURABLE"


def test_it_is_saved_and_loaded_and_damage_is_seen(tmp_path: Path) -> None:
    decoder = Decoder(tiny_model("llama"))
    subnetwork = Subnetwork(decoder, units_of("block.2"), (by_hand(decoder, "block.2", 1.1),))
    save_repairs(subnetwork, tmp_path / "saved", RepairSaveOptions(), Unattended())
    (loaded,) = load_repairs(decoder, tmp_path / "saved").repairs
    assert loaded.digest == subnetwork.repairs[0].digest
    update = loaded.edits[2].beside
    assert isinstance(update, Scale) and update.factor == 1.1
    path = tmp_path / "saved" / "repair.json"
    for wrong in ("-1.1", "0.0", "1e999", "null"):
        path.write_text(path.read_text().replace('"factor": 1.1', f'"factor": {wrong}'))
        with pytest.raises(DepthkitError) as caught:
            load_repairs(decoder, tmp_path / "saved")
        assert caught.value.code == "MODEL_INVALID"
        path.write_text(path.read_text().replace(f'"factor": {wrong}', '"factor": 1.1'))
