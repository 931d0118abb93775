"""Partial tuning: what is trained, what is not, and where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from depthkit_worker.contract.wire import (
    Objective,
    PartialOptions,
    RepairSaveOptions,
    ReplacementBlockOptions,
    TrainingOptions,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.repair.fitting import Base, Fitted
from depthkit_worker.repair.partial import fit_partial
from depthkit_worker.repair.repair import Repair
from depthkit_worker.repair.replacement_block import fit_replacement_block
from depthkit_worker.repair.storage import load_repairs, save_repairs
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from export.checkpoints import logits, reload, save, saved_config
from influence.builders import tiny
from repair.builders import base_of, many_rows, repairs_of, sequences
from tiny import FAMILY_MODELS, tiny_model, token_ids

LOSS = Objective(kl=0.0, loss=1.0, hidden=0.0)
FEW = {"steps": 3, "batch_size": 4, "learning_rate": 0.01, "warmup": 1, "validation": 0}


def fit(base: Base, *, training: Mapping[str, Any] | None = None, **options: Any) -> Fitted:
    told = TrainingOptions(**{**FEW, **(training or {})})
    return fit_partial(PartialOptions(training=told, **options), lambda _: None, base, Unattended())


def live(base: Base, repairs: tuple[Repair, ...]) -> Tensor:
    with removed(Subnetwork(base.decoder, base.subnetwork.units, repairs)):
        return logits(base.decoder.model, token_ids(2, 11))


def tuned(fitted: Fitted) -> list[int]:
    return sorted(fitted.fills[0].edits)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [2, 3, 5, 6]),
        ({"count": 2, "head": False}, [3, 5]),
        ({"count": 99, "head": False}, [0, 2, 3, 5]),
        ({"tuned": "neighbours", "count": 1}, [0, 2, 3, 5, 6]),
        ({"tuned": "neighbours", "count": 1, "head": False}, [0, 2, 3, 5]),
    ],
)
def test_it_tunes_the_last_blocks_that_stay_or_those_beside_gaps(
    options: dict[str, Any], expected: list[int]
) -> None:
    fitted = fit(base_of("llama", "block.1", "block.4", rows=many_rows(8)), **options)
    assert tuned(fitted) == expected  # 6 is the head.


def test_a_block_that_lost_a_sublayer_is_tuned_with_its_neighbours() -> None:
    base = base_of("llama", "attention.3", rows=many_rows(8))
    assert tuned(fit(base, tuned="neighbours", count=1, head=False)) == [2, 3, 4]


@pytest.mark.parametrize("head", [True, False])
@pytest.mark.parametrize("name", ["llama", "llama-tied", "gpt2", "mixtral", "gpt_neox-parallel"])
def test_only_what_is_tuned_changes_and_the_export_is_plain(name: str, head: bool, tmp_path: Path) -> None:
    base = base_of(name, "block.2", rows=many_rows(8))
    before = weights_checksum(base.decoder)
    fitted = fit(base, count=1, head=head)
    assert fitted.training is not None and fitted.training.change > 0
    assert weights_checksum(base.decoder) == before
    assert not any(parameter.requires_grad for parameter in base.decoder.model.parameters())
    repairs = repairs_of(base, fitted)
    result = save(base.decoder, base.subnetwork.units, tmp_path / "o", repairs=repairs)
    assert result.layout == "plain"
    model = reload(tmp_path / "o")
    expected = live(base, repairs)
    torch.testing.assert_close(logits(model, token_ids(2, 11)), expected, rtol=0, atol=1e-6)
    prefix = base.decoder.family.blocks
    dense, found = base.decoder.model.state_dict(), model.state_dict()
    head_name = next(
        f"{name}.weight" for name, module in model.named_modules() if module is model.get_output_embeddings()
    )
    changed = set()
    for key, value in found.items():
        inside = key.removeprefix(f"{prefix}.")
        number, _, rest = inside.partition(".")
        old = f"{prefix}.{int(number) + (int(number) >= 2)}.{rest}" if inside != key else key
        if not torch.equal(value, dense[old]):
            changed.add(old if old == head_name else old.removeprefix(f"{prefix}.").partition(".")[0])
    assert changed == {"5", *([head_name] if head else [])}
    tied = base.decoder.config.tie_word_embeddings
    assert saved_config(tmp_path / "o").get("tie_word_embeddings", tied) is (tied and not head)


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_a_tuned_head_in_every_family(name: str, tmp_path: Path) -> None:
    base = base_of(name, "block.2", "attention.4", rows=many_rows(4))
    repairs = repairs_of(base, fit(base, count=1, training={"steps": 1}))
    expected = live(base, repairs)
    assert not torch.allclose(expected, live(base, ()), atol=1e-4)
    save(base.decoder, base.subnetwork.units, tmp_path / "o", repairs=repairs)
    model = reload(tmp_path / "o", trust_remote_code=True)
    torch.testing.assert_close(logits(model, token_ids(2, 11)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["llama-tied", "mixtral"])
def test_gradients_are_those_of_the_models_own_forward(name: str) -> None:
    rows = many_rows(4)
    base = base_of(name, "block.2", rows=rows)
    told = {"steps": 1, "batch_size": 4, "objective": LOSS, "clip": None}
    fitted = fit(base, count=2, training=told)
    assert fitted.training is not None
    model = tiny_model(name)
    decoder = Decoder(model)
    head = torch.nn.Parameter(model.get_output_embeddings().weight.detach().clone())
    model.get_output_embeddings().weight = head
    learning = [head, *decoder.blocks[4].parameters(), *decoder.blocks[5].parameters()]
    for parameter in learning:
        parameter.requires_grad_(True)
    with removed(Subnetwork(decoder, base.subnetwork.units)):
        total, count = torch.zeros(()), 0
        for ids in sequences(base):
            found = model(input_ids=ids, use_cache=False).logits[0, :-1]
            total = total + torch.nn.functional.cross_entropy(found, ids[0, 1:], reduction="sum")
            count += ids.shape[1] - 1
        torch.autograd.backward(total / count)
    norm = torch.stack([parameter.grad.norm() for parameter in learning if parameter.grad is not None]).norm()
    (point,) = fitted.training.points
    assert point.gradient_norm == pytest.approx(float(norm), rel=1e-4)
    assert point.objective == pytest.approx(float(total / count), rel=1e-5)


def test_a_start_that_training_only_made_worse_is_the_pruned_model_bit_for_bit() -> None:
    base = base_of("llama-tied", "block.2", rows=many_rows(8))
    fitted = fit(base, training={"learning_rate": 0.5, "validation": 2})
    assert fitted.training is not None and fitted.training.best_step == 0
    assert torch.equal(live(base, repairs_of(base, fitted)), live(base, ()))


def test_it_learns() -> None:
    base = base_of("llama-tied", "block.1", "block.3", rows=many_rows(8))
    fitted = fit(base, training={"steps": 30, "batch_size": 8, "objective": LOSS})
    assert fitted.training is not None
    first, last = fitted.training.points[0].objective, fitted.training.points[-1].objective
    assert first is not None and last is not None and last < first - 0.2


def test_it_is_made_on_top_of_other_repairs_and_saved_with_them(tmp_path: Path) -> None:
    base = base_of("llama", "block.2", "block.3", rows=many_rows(8))
    block = fit_replacement_block(ReplacementBlockOptions(), lambda _: None, base, Unattended())
    below = repairs_of(base, block)
    both = base_of(base.decoder, "block.2", "block.3", rows=many_rows(8), repairs=below)
    fitted = fit(both, tuned="neighbours", count=1)
    assert tuned(fitted) == [1, 2, 4, 6]  # The replacement, in block 2's place, among them.
    repairs = repairs_of(both, fitted)
    assert repairs[-1].base == (below[0].digest,)
    expected = live(both, repairs)
    save_repairs(
        Subnetwork(base.decoder, base.subnetwork.units, repairs),
        tmp_path / "s",
        RepairSaveOptions(),
        Unattended(),
    )
    loaded = load_repairs(tiny("llama"), tmp_path / "s")
    assert [repair.digest for repair in loaded.repairs] == [repair.digest for repair in repairs]
    assert torch.equal(live(both, loaded.repairs), expected)


@pytest.mark.parametrize(
    ("units", "options", "words"),
    [
        ((), {"tuned": "neighbours"}, "nothing is removed"),
        (tuple(f"block.{index}" for index in range(6)), {}, "every block is removed"),
    ],
)
def test_what_cannot_be_tuned_is_refused(units: tuple[str, ...], options: dict[str, Any], words: str) -> None:
    with pytest.raises(DepthkitError, match=words) as caught:
        fit(base_of("llama", *units, rows=many_rows(4)), **options)
    assert caught.value.code == "INVALID_ARGUMENT"


def test_hidden_states_alone_say_nothing_to_what_lies_above_the_last_gap() -> None:
    base = base_of("llama", "block.2", rows=many_rows(8))
    hidden = Objective(kl=0.0, loss=0.0, hidden=1.0)
    with pytest.raises(DepthkitError, match="lies above it"):
        fit(base, tuned="neighbours", count=1, training={"objective": hidden})
