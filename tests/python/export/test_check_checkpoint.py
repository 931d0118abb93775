"""Exports of every family in stock transformers, beside what the model in memory says."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerBase

from depthkit_worker.contract.wire import ExportCheckParams
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.check_checkpoint import check_checkpoint, check_here
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from export.checkpoints import save
from tiny import FAMILY_MODELS, tiny_model


@pytest.mark.parametrize("name", FAMILY_MODELS)
def test_it_answers_as_in_memory_also_in_a_batch_padded_on_the_left(
    name: str, words: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    units = (Unit("attention", 0), Unit("block", 2))
    result = save(Decoder(tiny_model(name), words), units, tmp_path / "out")
    found = check_here(tmp_path / "out", "transformers", True, Unattended())
    assert found.largest_difference < 2e-5
    assert (found.agreement, found.written, found.cached, found.left_padded) == (1, 1, 1, 1)
    assert found.kv_bytes_per_token == result.kv_bytes_per_token_after
    assert found.same_tokens


def test_software_for_graphs_is_refused_a_checkpoint(words: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    save(Decoder(tiny_model("llama"), words), (), tmp_path / "out")
    params = ExportCheckParams(folder=str(tmp_path / "out"), runtime="onnxruntime")
    with pytest.raises(DepthkitError) as refused:
        check_checkpoint(params, Unattended())
    assert refused.value.code == "INVALID_ARGUMENT"
    assert "this is none: it has no folder onnx" in refused.value.message
