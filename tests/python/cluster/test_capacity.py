"""How many actors a cluster has room for."""

from __future__ import annotations

import pytest

from depthkit_worker.cluster.capacity import Need, need_of, room_for
from depthkit_worker.cluster.cluster import on_actor
from depthkit_worker.contract.wire import ModelOptions

Nodes = list[dict[str, float]]
HEAD: dict[str, float] = {"memory": 1e9}
LAPTOP: dict[str, float] = {"CPU": 2}
BIG: dict[str, float] = {"CPU": 64}
GPUS: dict[str, float] = {"CPU": 32, "GPU": 8}


@pytest.mark.parametrize(
    ("nodes", "gpus", "wanted", "need", "room"),
    [
        ([LAPTOP], 0, None, Need(2, 0), 1),
        ([LAPTOP], 0, 2, Need(1, 0), 2),
        ([LAPTOP], 0, 4, Need(0.5, 0), 4),
        ([HEAD, BIG], 0, None, Need(8, 0), 8),
        ([BIG, BIG], 0, 20, Need(6, 0), 20),
        ([HEAD, GPUS, GPUS], 1, None, Need(1, 1), 16),
        ([GPUS], 4, None, Need(1, 4), 2),
        ([{"CPU": 4, "GPU": 8}], 1, None, Need(0.5, 1), 8),
        ([HEAD], 0, None, Need(1, 0), 0),
        ([BIG], 1, None, Need(1, 1), 0),
    ],
)
def test_room(nodes: Nodes, gpus: int, wanted: int | None, need: Need, room: int) -> None:
    assert need_of(nodes, gpus, wanted) == need
    assert room_for(nodes, need) == room


def test_an_actor_numbers_its_devices_from_0() -> None:
    assert on_actor(ModelOptions(device="cuda:3"), 1).device == "cuda:0"
    spread = ModelOptions(device_map="cuda:2=20,cuda:5=12")
    assert on_actor(spread, 2).device_map == "cuda:0=20,cuda:1=12"
    assert on_actor(ModelOptions(device_map="cuda:1,cuda:0"), 2).device_map == "cuda:0,cuda:1"
    assert on_actor(ModelOptions(device_map="auto"), 4).device_map == "cuda:0,cuda:1,cuda:2,cuda:3"
    assert on_actor(ModelOptions(device="auto"), 0).device == "cpu"
