"""The simulator of docs/scale.md, on cases whose end is known."""

from __future__ import annotations

import pytest

from depthkit_worker.subnetworks.splits import done_after
from simulate import Machine, simulate


@pytest.mark.parametrize("devices", [1, 2, 3, 8])
def test_without_trouble_it_is_a_list_taken_in_order(devices: int) -> None:
    pieces = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0]
    assert simulate(pieces, Machine(devices)).seconds == pytest.approx(done_after(pieces, devices))


def test_a_driver_that_cannot_keep_up_sets_the_pace() -> None:
    found = simulate([0.001] * 1000, Machine(devices=100, driver=0.1))
    assert found.seconds == pytest.approx(100.0, rel=0.01)


def test_a_driver_is_in_nobodys_way_where_pieces_are_long() -> None:
    found = simulate([10.0] * 100, Machine(devices=10, driver=0.001))
    assert found.seconds == pytest.approx(100.0, rel=0.01)


def test_a_straggler_takes_fewer_pieces() -> None:
    """One of two takes twice as long: they do three pieces in the time of two."""
    found = simulate([1.0] * 300, Machine(devices=2, stragglers=0.5, slowness=2.0))
    assert found.seconds == pytest.approx(200.0, abs=2.0)


def test_the_last_piece_of_a_straggler_is_waited_for() -> None:
    found = simulate([1.0] * 2, Machine(devices=2, stragglers=0.5, slowness=10.0))
    assert found.seconds == pytest.approx(10.0)


def test_what_is_lost_is_done_again() -> None:
    pieces = [10.0] * 400
    quiet = simulate(pieces, Machine(devices=4))
    found = simulate(pieces, Machine(devices=4, lost_every=500.0, replaced_after=20.0), seed=1)
    assert quiet.losses == 0 and found.losses > 0
    # All devices' time is pieces, pieces again, or waiting for another device.
    spent = sum(pieces) + found.again + 20.0 * found.losses
    assert spent / 4 <= found.seconds <= spent / 4 + 40.0


def test_the_same_seed_gives_the_same() -> None:
    machine = Machine(devices=16, spread=0.3, stragglers=0.1, slowness=3.0, lost_every=100.0)
    first, same, other = (simulate([1.0] * 200, machine, seed) for seed in (1, 1, 2))
    assert first == same != other


def test_models_are_waited_for_once() -> None:
    assert simulate([1.0] * 10, Machine(devices=5, start=7.0)).seconds == pytest.approx(9.0)
