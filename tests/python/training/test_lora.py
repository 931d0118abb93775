"""LoRA healing: merged is the same as beside, and the model is the same object afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from msgspec import structs
from torch import nn

from depthkit_worker.contract import wire
from depthkit_worker.contract.wire import HealedBlocks, LoraOptions, RepairSaveOptions, TrainingOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.adapters import MaskedExperts, adapted, places
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.repair.lora import fit_lora
from depthkit_worker.repair.repair import Repair
from depthkit_worker.repair.storage import load_repairs, make_repair, save_repairs
from depthkit_worker.repair.weight_changes import Sum
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from influence.builders import llama, tiny
from tiny import token_ids
from training.builders import REMOVED, SHORT, CancelAfter, Looks, base_of, constant, ignore

TRAINING = structs.replace(SHORT, steps=8, learning_rate=2e-2, activation_checkpointing=True)
BOTH = ("attention", "feed-forward")
KINDS = ["llama", "gpt2", "bloom", "opt", "gpt_neox-parallel", "falcon-new", "phi3", "qwen2_moe"]


def heal(base: Base, **options: object) -> Fitted:
    made = structs.replace(LoraOptions(rank=3, alpha=6.0, targets=BOTH, training=TRAINING), **options)
    return fit_lora(made, ignore, base, Unattended())


def masked(probability: float | None) -> wire.MaskedExperts | None:
    return None if probability is None else wire.MaskedExperts(probability=probability)


def repair_of(decoder: Decoder, fitted: Fitted) -> Repair:
    (fill,) = fitted.fills
    return make_repair(decoder, "lora", fill.removed, fill.edits, "{}", fill.base)


def snapshot(decoder: Decoder) -> object:
    model = decoder.model
    return (
        weights_checksum(decoder),
        [(name, id(module), type(module), module.training) for name, module in model.named_modules()],
        [(name, id(value), value.requires_grad, value.grad) for name, value in model.named_parameters()],
        [(len(m._forward_hooks), len(m._forward_pre_hooks), sorted(vars(m))) for m in model.modules()],
    )


@pytest.mark.parametrize("experts", [None, 0.3])
@pytest.mark.parametrize("name", KINDS)
def test_merged_weights_answer_as_the_adapter_did(name: str, experts: float | None) -> None:
    """REC1 and REC3."""
    decoder = tiny(name)
    decoder.model.requires_grad_(True)
    before = snapshot(decoder)
    fitted = heal(base_of(decoder), experts=masked(experts))
    assert snapshot(decoder) == before
    report = fitted.training
    assert report is not None and report.change > 0
    assert report.points[-1].objective < report.points[0].objective  # type: ignore[operator]
    text = fitted.notes[0]
    assert text.startswith("merged weights against the adapter: ")
    assert float(text.split("logit ")[1].split()[0]) < 1e-4
    # What is merged is what was trained: the objective of the merged model is the last one trained for.
    fill = fitted.fills[0]
    assert fill.removed == REMOVED and not set(fill.edits) & {2, 3}
    assert all(isinstance(change, Sum) for edit in fill.edits.values() for change in edit.weights.values())


def test_gpt2_changes_weights_that_are_kept_the_other_way_round() -> None:
    decoder = tiny("gpt2")
    fitted = heal(base_of(decoder), targets=("attn.c_attn", "mlp.c_proj"))
    block = fitted.fills[0].edits[0].weights
    assert set(block) == {"attn.c_attn.weight", "mlp.c_proj.weight"}
    change = block["attn.c_attn.weight"]
    assert isinstance(change, Sum)
    assert (change.a.shape, change.b.shape, change.scale) == ((3, 96), (32, 3), 2.0)


def test_a_healed_model_is_better_and_stays_so_on_disk(tmp_path: Path) -> None:
    decoder, ids = llama(), token_ids(2, 11)
    options = structs.replace(TRAINING, steps=30)
    fitted = heal(base_of(decoder), training=options)
    repair = repair_of(decoder, fitted)
    save_repairs(
        Subnetwork(decoder, REMOVED, (repair,)), tmp_path / "lora", RepairSaveOptions(), Unattended()
    )
    loaded = load_repairs(decoder, tmp_path / "lora")
    with removed(Subnetwork(decoder, REMOVED, (repair,))):
        expected = decoder.model(ids, use_cache=False).logits
    with removed(loaded):
        assert torch.equal(decoder.model(ids, use_cache=False).logits, expected)


def test_the_dense_model_can_be_healed_too() -> None:
    decoder = llama()
    objective = structs.replace(TRAINING.objective, kl=0.0, loss=1.0, hidden=0.0)
    fitted = heal(base_of(decoder, ()), training=structs.replace(TRAINING, objective=objective))
    assert fitted.fills[0].removed == ()
    assert list(fitted.fills[0].edits) == list(range(6))


def test_it_builds_on_the_repairs_in_place_and_names_them() -> None:
    decoder = llama()
    fill = constant(decoder, 0.2)
    below = make_repair(decoder, "emulated-update", fill.removed, fill.edits, "{}")
    base = base_of(decoder, repairs=(below,))
    fitted = heal(base)
    assert fitted.fills[0].base == (below.digest,)
    again = heal(base_of(decoder, repairs=(below, repair_of(decoder, fitted))))
    assert len(again.fills[0].base) == 2
    assert float(again.notes[0].split("logit ")[1].split()[0]) < 1e-4


def test_what_is_left_open_is_chosen_and_said() -> None:
    training = TrainingOptions(steps=1, batch_size=2, teacher_top=10)
    fitted = fit_lora(LoraOptions(rank=3, training=training), ignore, base_of(llama()), Unattended())
    assert isinstance(fitted.options, LoraOptions) and fitted.options.alpha == 6.0
    told = fitted.options.training
    assert (told.learning_rate, told.warmup, told.validation, told.validate_every) == (2e-4, 1, 0, 1)


def test_which_blocks_and_modules_are_healed() -> None:
    decoder = llama()
    units = (Unit("attention", 1), Unit("block", 2))
    base = base_of(decoder, units)
    some = heal(base, blocks=HealedBlocks(first=1, last=4), targets=("attention", "down_proj"))
    names = {index: sorted(edit.weights) for index, edit in some.fills[0].edits.items()}
    attention = [f"self_attn.{letter}_proj.weight" for letter in "koqv"]
    assert names == {
        1: ["mlp.down_proj.weight"],
        3: ["mlp.down_proj.weight", *attention],
        4: ["mlp.down_proj.weight", *attention],
    }


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"targets": ("attention", "w1")}, "heal w1, and no linear module"),
        ({"targets": ("o_pro",)}, r"There are mlp\.down_proj"),
        ({"blocks": HealedBlocks(first=2, last=3)}, "There are none"),
        ({"blocks": HealedBlocks(first=4, last=1)}, "blocks 4 to 1"),
        ({"blocks": HealedBlocks(last=6)}, "blocks 0 to 6"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"experts": wire.MaskedExperts(probability=1.0)}, "probability is 1.0"),
    ],
)
def test_what_cannot_be_healed_is_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(DepthkitError, match=says) as caught:
        heal(base_of(llama()), **options)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_experts_of_a_mixture_are_no_linear_modules() -> None:
    with pytest.raises(DepthkitError, match="Experts of a mixture"):
        heal(base_of(tiny("mixtral")), targets=("feed-forward",))


def test_a_cancel_at_any_look_leaves_the_model_as_it_was() -> None:
    decoder, looks = llama(), Looks()
    options = LoraOptions(rank=2, alpha=16.0, training=SHORT)
    fit_lora(options, ignore, base_of(decoder), looks)
    before = snapshot(decoder)
    for share in (0.05, 0.3, 0.6, 0.95):
        with pytest.raises(DepthkitError):
            fit_lora(options, ignore, base_of(decoder), CancelAfter(int(looks.count * share)))
        assert snapshot(decoder) == before


def test_experts_are_left_out_in_training_alone_and_right_on_average() -> None:
    torch.manual_seed(0)
    linear = nn.Linear(5, 4).requires_grad_(False)
    module = MaskedExperts(linear, LoraOptions(rank=3), 6.0, 0.4)
    x = torch.randn(2, 7, 5)
    assert torch.equal(module.coefficients, torch.full((3,), 2.0))
    assert torch.equal(module(x), linear(x))
    nn.init.normal_(module.up)
    module.dropout.eval()
    expected = linear(x) + sum(
        module.coefficients[i] * (x @ module.down[i])[..., None] * module.up[:, i] for i in range(3)
    )
    torch.testing.assert_close(module(x), expected)
    module.dropout.train()
    draws = torch.stack([module(x) for _ in range(4000)])
    assert len(torch.unique(draws[:, 0, 0], dim=0)) == 2**3
    torch.testing.assert_close(draws.mean(0), expected, rtol=0.1, atol=0.15)


def test_weights_in_bf16_have_adapters_in_fp32() -> None:
    decoder = llama(dtype=torch.bfloat16)
    where = places(decoder, [0, 1], BOTH)
    for experts in (None, 0.2):
        with adapted(decoder, where, LoraOptions(rank=2, experts=masked(experts)), 4.0) as adapters:
            assert {value.dtype for adapter in adapters for value in adapter.parameters.values()} == {
                torch.float32
            }
        fitted = heal(base_of(decoder), experts=masked(experts))
        assert fitted.training is not None and fitted.training.change > 0
