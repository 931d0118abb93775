"""A cancel while a model is loaded or exported: wherever it comes, the call says so and nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import ExportOptions, ModelOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.huggingface import export_huggingface
from depthkit_worker.models.load import load_model
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended, cancelled
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import t_llama, token_ids


class Looks(Unattended):
    """Counts the looks of a job, and cancels it at one of them."""

    def __init__(self, cancel_at: int | None = None) -> None:
        self.looks = 0
        self._cancel_at = cancel_at

    def check(self) -> None:
        self.looks += 1
        if self._cancel_at is not None and self.looks >= self._cancel_at:
            raise cancelled()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory, smollm2_tokenizer: PreTrainedTokenizerBase) -> Path:
    folder = tmp_path_factory.mktemp("cancel") / "source"
    t_llama().save_pretrained(folder, max_shard_size="320KB")
    smollm2_tokenizer.save_pretrained(folder)
    return folder


def hooks() -> int:
    module = torch.nn.modules.module
    return sum(
        len(found)
        for found in (
            module._global_forward_pre_hooks,
            module._global_module_registration_hooks,
            module._global_parameter_registration_hooks,
        )
    )


def test_a_load_looks_between_modules_and_tensors_and_stops_at_any(source: Path) -> None:
    def load(job: Looks) -> nn.Module:
        return load_model(str(source), source.parent, ModelOptions(device="cpu"), job).model

    whole = Looks()
    model = load(whole)
    # A slow load looks more often, and never less often than this.
    least = len(list(model.parameters())) + len(list(model.modules()))
    assert whole.looks > least
    for at in range(1, least, least // 20):
        with pytest.raises(DepthkitError) as caught:
            load(Looks(at))
        assert caught.value.code == "CANCELLED"
        assert hooks() == 0
    load(Looks())


def test_an_export_stops_wherever_it_is_cancelled_and_leaves_nothing(source: Path, tmp_path: Path) -> None:
    decoder = load_model(str(source), source.parent, ModelOptions(device="cpu"), Unattended())
    subnetwork = Subnetwork(decoder, (Unit("block", 1), Unit("attention", 3)))

    def export(job: Looks) -> None:
        export_huggingface(subnetwork, tmp_path / "o", ExportOptions(dtype="bfloat16"), job)

    modules = list(decoder.model.named_modules())
    rows = token_ids(1, 9)
    before = decoder.model(input_ids=rows).logits
    for at in range(1, 240, 12):
        with pytest.raises(DepthkitError) as caught:
            export(Looks(at))
        assert caught.value.code == "CANCELLED"
        assert list(tmp_path.iterdir()) == []
        assert hooks() == 0
        # The live model is whole, wherever the cancel came.
        assert list(decoder.model.named_modules()) == modules
        assert torch.equal(decoder.model(input_ids=rows).logits, before)
    export(Looks())
    assert [path.name for path in tmp_path.iterdir()] == ["o"]
