"""What is refused of an export to ONNX before any work, and what its bounds let through. What onnxruntime
answers with the graphs is tested in tests/integration/onnx.test.ts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from depthkit_worker.contract.wire import OnnxGraph, OnnxOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.can_export import can_export
from depthkit_worker.export.onnx.bounds import check_answers, warnings_of
from depthkit_worker.export.onnx.environment import VARIABLE
from depthkit_worker.export.onnx.export_onnx import export_onnx
from depthkit_worker.export.onnx.plan import RUN
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.families import FAMILIES
from depthkit_worker.models.units import Unit
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork
from tiny import tiny_model


def without(decoder: Decoder, *units: str) -> Subnetwork:
    return Subnetwork(decoder, tuple(map(Unit.parse, units)))


@pytest.mark.parametrize(
    ("name", "units", "reason", "nearest"),
    [
        ("mixtral", (), "the family mixtral was not exported to ONNX yet", None),
        ("falcon-new", ("block.1",), "Falcon with grouped heads", None),
        ("gpt2-inverse-scaling", ("block.1",), "drops scale_attn_by_inverse_layer_idx", None),
        ("gpt_neox", ("attention.1", "block.4"), "needs transformers 5.17", ("block.4",)),
        ("llama", tuple(f"attention.{at}" for at in range(6)), "Every attention", "five"),
    ],
)
def test_what_has_no_graph_is_refused_with_the_nearest_that_has(
    name: str, units: tuple[str, ...], reason: str, nearest: Any, tmp_path: Path
) -> None:
    subnetwork = without(Decoder(tiny_model(name)), *units)
    answer = can_export(subnetwork, "onnx")
    assert not answer.possible
    assert answer.reason is not None and reason in answer.reason
    found = None if answer.nearest is None else answer.nearest.removed
    assert found == (tuple(f"attention.{at}" for at in range(5)) if nearest == "five" else nearest)
    with pytest.raises(DepthkitError) as caught:
        export_onnx(subnetwork, tmp_path / "out", OnnxOptions(), Unattended())
    assert caught.value.code == "EXPORT_UNSUPPORTED"
    assert list(tmp_path.iterdir()) == []


def test_without_its_environment_it_is_refused_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "absent"))
    subnetwork = without(Decoder(tiny_model("llama")), "block.1")
    assert can_export(subnetwork, "onnx").possible
    with pytest.raises(DepthkitError, match="npx depthkit setup --with onnx") as caught:
        export_onnx(subnetwork, tmp_path / "out", OnnxOptions(), Unattended())
    assert caught.value.code == "MODULE_MISSING"
    assert list(tmp_path.iterdir()) == []


def test_every_family_that_was_run_is_one_that_is_known() -> None:
    assert set(RUN) <= set(FAMILIES)


GOOD = OnnxGraph(
    dtype="fp32",
    file="onnx/model.onnx",
    bytes=1,
    mean_difference=1e-6,
    largest_difference=1e-5,
    rounding_difference=None,
    agreement=1.0,
    written=1.0,
    cached=1.0,
    left_padded=1.0,
    kv_bytes_per_token=1,
)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"largest_difference": 0.01}, "by up to 0.01"),
        ({"largest_difference": float("nan")}, "by up to nan"),
        ({"dtype": "int8", "rounding_difference": 0.02}, "same rounded weights"),
        ({"cached": 0.9}, "with a cache"),
    ],
)
def test_a_graph_that_answers_otherwise_than_its_numbers_explain_is_refused(
    changed: dict[str, Any], said: str
) -> None:
    check_answers(GOOD)
    check_answers(replace(GOOD, dtype="int8", largest_difference=0.5, rounding_difference=1e-4))
    with pytest.raises(DepthkitError, match=said) as caught:
        check_answers(replace(GOOD, **changed))
    assert caught.value.code == "EXPORT_DIFFERS"


def test_few_bits_that_cost_most_answers_are_told() -> None:
    assert warnings_of(GOOD) == ()
    [told] = warnings_of(replace(GOOD, dtype="q4", agreement=0.48))
    assert "48%" in told
