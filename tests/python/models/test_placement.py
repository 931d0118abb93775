"""Which block goes to which device, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from depthkit_worker.contract.wire import ModelOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models import devices, placement
from depthkit_worker.models.load import load_model
from depthkit_worker.models.placement import library_map, plan_blocks, told
from depthkit_worker.models.stored_weights import StoredTensor, StoredWeights
from depthkit_worker.session.job import Unattended

DEPTH, BLOCK, REST = 6, 1000, 2000
STORED = StoredWeights(
    (),
    {f"model.layers.{index}.weight": StoredTensor((BLOCK // 4,), "F32") for index in range(DEPTH)}
    | {"model.embed_tokens.weight": StoredTensor((REST // 4,), "F32")},
    "float32",
)
CUDA = [torch.device("cuda", index) for index in range(2)]


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What each device of a machine with two GPUs has free, to be changed."""
    names = ["cuda:0", "cuda:1", "cpu"]
    free = dict.fromkeys(names, 10**6)
    for module in (devices, placement):
        monkeypatch.setattr(module, "available_devices", lambda: names)
    monkeypatch.setattr(placement, "_free_bytes", lambda device: free[str(device)])
    return free


def plan(asked: str, dtype: torch.dtype = torch.float32) -> str:
    return told(plan_blocks(asked, STORED, DEPTH, dtype))


def test_numbers_say_how_many_blocks_each_takes(two_gpus: dict[str, int]) -> None:
    places = plan_blocks("cuda:1=2,cuda:0=4", STORED, DEPTH, torch.float32)
    assert places == [CUDA[1]] * 2 + [CUDA[0]] * 4
    assert told(places) == "cuda:1=2,cuda:0=4"
    assert library_map(places, "model.layers") == {
        "": CUDA[1],
        **{f"model.layers.{index}": place for index, place in enumerate(places)},
    }
    assert plan("cuda:0=5,cpu=1") == "cuda:0=5,cpu=1"
    assert plan("cuda:1") == "cuda:1"
    assert library_map([CUDA[0]] * 3, "model.layers") == {"": CUDA[0]}


def test_without_numbers_free_memory_decides(two_gpus: dict[str, int]) -> None:
    two_gpus |= {"cuda:0": REST + 8 * BLOCK, "cuda:1": 4 * BLOCK}
    assert plan("cuda:0,cuda:1") == plan("auto") == "cuda:0=4,cuda:1=2"
    two_gpus |= {"cuda:0": REST + 5 * BLOCK, "cuda:1": 5 * BLOCK}
    assert plan("auto") == "cuda:0=3,cuda:1=3"
    two_gpus |= {"cuda:0": REST + BLOCK, "cuda:1": 1000 * BLOCK}
    assert plan("auto") == "cuda:0=1,cuda:1=5"


def test_what_does_not_fit_is_refused_in_the_dtype_that_is_loaded(two_gpus: dict[str, int]) -> None:
    two_gpus |= {"cuda:0": REST + 2 * BLOCK, "cuda:1": 3 * BLOCK}
    for asked in ("auto", "cuda:0=3,cuda:1=3", "cuda:0=2,cuda:1=4"):
        with pytest.raises(DepthkitError) as refused:
            plan(asked)
        assert refused.value.code == "OUT_OF_MEMORY" and "not fetched" in refused.value.message
    assert plan("auto", torch.float16) == "cuda:0=3,cuda:1=3"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("cuda:0=3,cuda:1=2", "places 5 blocks, and the model has 6"),
        ("cuda:0=6,cuda:1=0", "each device takes one or more"),
        ("cuda:0=3,cuda:0=3", "names a device twice"),
        ("cuda:0=3,cuda:1", "nor devices each with"),
        ("gpu", "is neither auto"),
        ("", "is neither auto"),
    ],
)
def test_other_maps_are_refused(asked: str, said: str, two_gpus: dict[str, int]) -> None:
    with pytest.raises(DepthkitError, match=said) as refused:
        plan(asked)
    assert refused.value.code == "INVALID_ARGUMENT"


def test_a_device_that_is_not_there(two_gpus: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DepthkitError) as missing:
        plan("cuda:0=3,cuda:7=3")
    assert missing.value.code == "DEVICE_UNAVAILABLE"
    monkeypatch.setattr(placement, "available_devices", lambda: ["cpu"])
    with pytest.raises(DepthkitError) as none:
        plan("auto")
    assert none.value.code == "DEVICE_UNAVAILABLE"


def test_loading_by_a_map(bundled_model: Path) -> None:
    def load(**options: str) -> str:
        asked = ModelOptions(dtype="bfloat16", **options)  # type: ignore[arg-type]
        return load_model(str(bundled_model), bundled_model.parent, asked, Unattended()).placement

    assert load(device_map="cpu=30") == "cpu"
    with pytest.raises(DepthkitError, match="Give one of device and deviceMap"):
        load(device_map="cpu=30", device="cpu")
    with pytest.raises(DepthkitError, match="places 29 blocks"):
        load(device_map="cpu=29")
