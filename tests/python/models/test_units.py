from __future__ import annotations

import pytest

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.units import Parts, Unit, check_units, normalise, removed_parts


def test_a_name_and_its_unit_are_the_same() -> None:
    for name in ("block.0", "attention.7", "feed-forward.123"):
        assert str(Unit.parse(name)) == name


@pytest.mark.parametrize(
    "name", ["", "block", "block.", "block.-1", "block.01", "block.1\n", "Block.1", "ffn.1", "block.٣"]
)
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(DepthkitError) as failure:
        Unit.parse(name)
    assert failure.value.code == "INVALID_ARGUMENT"
    assert "attention" in failure.value.message


def test_units_sort_from_the_bottom_up() -> None:
    units = [Unit("block", 10), Unit("feed-forward", 2), Unit("block", 2), Unit("attention", 2)]
    assert [str(unit) for unit in check_units(units, 12)] == [
        "block.2",
        "attention.2",
        "feed-forward.2",
        "block.10",
    ]


def test_a_unit_outside_the_model_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(DepthkitError, match=r"attention\.6.*from 0 to 5"):
        check_units([Unit("attention", 6)], 6)


def test_a_unit_named_twice_is_refused() -> None:
    with pytest.raises(DepthkitError, match=r"block\.1 is named more than once"):
        check_units([Unit("block", 1), Unit("block", 0), Unit("block", 1)], 6)


def test_both_sublayers_are_the_block() -> None:
    both = [Unit("feed-forward", 3), Unit("attention", 3), Unit("attention", 0)]
    assert normalise(both, 6) == (Unit("attention", 0), Unit("block", 3))
    assert normalise([Unit("block", 3), Unit("attention", 3)], 6) == (Unit("block", 3),)
    assert removed_parts(both, 4) == (Parts.ATTENTION, Parts.NONE, Parts.NONE, Parts.BOTH)
