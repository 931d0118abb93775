"""LoRA over packed weights: what it trains stands beside them, and they are never changed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from msgspec import structs
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import (
    BiasOptions,
    EmulatedUpdateOptions,
    FoldOptions,
    LoraOptions,
    LowRankOptions,
    MaskedExperts,
    PartialOptions,
    RepairMethod,
    RepairSaveOptions,
    ReplacementBlockOptions,
    ScaleOptions,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.can_export import can_export
from depthkit_worker.models.checksum import weights_checksum
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.repair.methods import fit_repairs
from depthkit_worker.repair.storage import load_repairs, save_repairs
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from models.folders import loaded
from quantised import KINDS, quantised, small_llama
from tiny import token_ids
from training.builders import REMOVED, SHORT, base_of, ignore

TRAINING = structs.replace(SHORT, steps=16, learning_rate=3e-3, validation=2, validate_every=4)
HEALING = LoraOptions(rank=3, alpha=6.0, targets=("attention", "feed-forward"), training=TRAINING)
PACKED = [kind for kind in KINDS if kind.startswith("bitsandbytes")]
ROUNDED = "compressed-tensors int8, activations"
IDS = token_ids(2, 11)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, words: PreTrainedTokenizerBase) -> dict[str, Path]:
    top = tmp_path_factory.mktemp("quantised")
    kinds = [*PACKED, ROUNDED, "fp8"]
    return {kind: quantised(kind, small_llama(), words, top / str(at)) for at, kind in enumerate(kinds)}


@torch.no_grad()
def logits(decoder: Decoder) -> torch.Tensor:
    found: torch.Tensor = decoder.model(input_ids=IDS, use_cache=False).logits
    return found


@pytest.mark.parametrize("experts", [None, MaskedExperts(probability=0.3)])
@pytest.mark.parametrize("kind", [*PACKED, "fp8"])
def test_it_heals_and_leaves_the_weights_as_they_were(
    kind: str, experts: MaskedExperts | None, folders: dict[str, Path], tmp_path: Path
) -> None:
    decoder = loaded(folders[kind], tmp_path)
    before, whole = weights_checksum(decoder), logits(decoder)
    options = structs.replace(HEALING, experts=experts)
    repairs, report = fit_repairs(base_of(decoder), options, ignore, Unattended())
    assert report.weights_unchanged
    assert weights_checksum(decoder) == before
    assert torch.equal(logits(decoder), whole)
    training = report.training
    assert training is not None
    assert training.change > 0
    assert training.best_step > 0, "what was held out gained"
    healed = Subnetwork(decoder, REMOVED, repairs)
    with removed(healed):
        answers = logits(decoder)
    with removed(healed.unrepaired):
        assert float((answers - logits(decoder)).abs().max()) > 1e-3
    save_repairs(healed, tmp_path / "saved", RepairSaveOptions(), Unattended())
    again = load_repairs(decoder, tmp_path / "saved")
    with removed(Subnetwork(decoder, again.units, again.repairs)):
        assert torch.equal(logits(decoder), answers)
    found = can_export(healed, "huggingface")
    assert found.possible == (kind in PACKED)
    if not found.possible:
        assert found.nearest is not None
        assert found.nearest.removed == tuple(map(str, healed.shortest_units))


def test_a_second_healing_stands_on_the_first(folders: dict[str, Path], tmp_path: Path) -> None:
    decoder = loaded(folders[PACKED[0]], tmp_path)
    (first,), _ = fit_repairs(base_of(decoder), HEALING, ignore, Unattended())
    (second,), report = fit_repairs(base_of(decoder, REMOVED, (first,)), HEALING, ignore, Unattended())
    assert second.base == (first.digest,)
    assert "largest difference of a logit 0.00e+00" in report.notes[0]


@pytest.mark.parametrize(
    "options", [BiasOptions(training=TRAINING), EmulatedUpdateOptions(), LowRankOptions(), ScaleOptions()]
)
def test_what_fills_gaps_alone_is_fitted(
    options: RepairMethod, folders: dict[str, Path], tmp_path: Path
) -> None:
    decoder = loaded(folders[PACKED[0]], tmp_path)
    repairs, report = fit_repairs(base_of(decoder), options, ignore, Unattended())
    assert repairs
    assert report.weights_unchanged


@pytest.mark.parametrize("options", [FoldOptions(), PartialOptions(), ReplacementBlockOptions()])
def test_what_takes_weights_is_refused(
    options: RepairMethod, folders: dict[str, Path], tmp_path: Path
) -> None:
    decoder = loaded(folders[PACKED[0]], tmp_path)
    with pytest.raises(DepthkitError, match=r"Repairing by .*this takes weights as numbers") as failure:
        fit_repairs(base_of(decoder), options, ignore, Unattended())
    assert failure.value.code == "MODEL_UNSUPPORTED"


def test_what_is_rounded_between_products_is_not_trained(folders: dict[str, Path], tmp_path: Path) -> None:
    decoder = loaded(folders[ROUNDED], tmp_path)
    with pytest.raises(DepthkitError, match=r"Repairing by lora: .*no gradient comes back"):
        fit_repairs(base_of(decoder), HEALING, ignore, Unattended())
    repairs, _ = fit_repairs(base_of(decoder), LowRankOptions(), ignore, Unattended())
    assert repairs
