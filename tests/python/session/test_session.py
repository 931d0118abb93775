"""Handles name one object of one worker, for ever."""

from __future__ import annotations

import re
import threading
from typing import Any

import msgspec
import pytest

from depthkit_worker.contract import wire
from depthkit_worker.errors import DepthkitError
from depthkit_worker.session.session import Last, Registry, Session

KINDS = {
    "models": wire.ModelHandle,
    "corpora": wire.CorpusHandle,
    "tasks": wire.TaskHandle,
    "generation_tasks": wire.GenerationTaskHandle,
    "repairs": wire.RepairHandle,
}


def registry(session: Session, name: str) -> Registry[Any]:
    found: Registry[Any] = getattr(session, name)
    return found


@pytest.mark.parametrize("name", KINDS)
def test_a_handle_of_another_worker_is_refused_and_never_another_object(name: str) -> None:
    here, there = registry(Session(), name), registry(Session(), name)
    mine, theirs = here.add("mine"), there.add("theirs")
    assert mine != theirs
    msgspec.convert(mine, KINDS[name])
    for use in (there.get, there.drop):
        with pytest.raises(DepthkitError, match=f"{mine} belongs to another worker") as caught:
            use(mine)
        assert caught.value.code == "INVALID_ARGUMENT" and caught.value.details["handle"] == mine
    assert there.get(theirs) == "theirs"


@pytest.mark.parametrize("name", KINDS)
def test_a_closed_handle_stays_closed(name: str) -> None:
    here = registry(Session(), name)
    first = here.add("first")
    assert here.drop(first) == "first"
    second = here.add("second")
    assert second != first and len(here) == 1
    for use in (here.get, here.drop):
        with pytest.raises(
            DepthkitError, match=re.escape(f"{first}; it was closed. Held: {second}.")
        ) as caught:
            use(first)
        assert caught.value.code == "CLOSED"


def test_what_was_made_on_a_model_goes_with_it() -> None:
    session: Any = Session()
    one, other = session.models.add("one"), session.models.add("other")
    its, others = session.repairs.add("its", owner=one), session.repairs.add("others", owner=other)
    assert session.close_model(one) == "one"
    assert len(session.repairs) == 1 and session.repairs.get(others) == "others"
    with pytest.raises(DepthkitError, match="closed"):
        session.repairs.get(its)


def test_the_last_of_a_kind_is_made_once_and_goes_with_what_it_was_made_from() -> None:
    last: Last[object] = Last()
    made = [last.get(("a",), (owner,), object) for owner in ("m", "n")]
    assert made[0] is made[1]
    last.drop_of("others")
    assert last.get(("a",), ("m",), object) is made[0]
    last.drop_of("n")
    assert last.get(("a",), ("m",), object) is not made[0]
    assert last.get(("b",), ("m",), threading.Lock) is not last.get(("a",), ("m",), object)
