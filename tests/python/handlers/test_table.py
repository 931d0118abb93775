"""Every method of the contract is answered by a function of the right types."""

from typing import get_type_hints

import pytest

from depthkit_worker.contract.wire import METHODS
from depthkit_worker.handlers.table import HANDLERS
from depthkit_worker.session.away import Away
from depthkit_worker.session.call import Call
from depthkit_worker.session.session import Session


@pytest.mark.parametrize("method", METHODS)
def test_handler_takes_the_params_and_gives_the_result_of_its_method(method: str) -> None:
    params, result = METHODS[method]
    hints = get_type_hints(HANDLERS.resolve(method))
    given = hints.pop("return")
    assert hints == {"session": Session, "params": params, "call": Call}
    assert given in (result, result | Away)


def test_a_handler_lies_in_the_file_of_its_method_group() -> None:
    for method, function in HANDLERS.functions.items():
        assert function.split(":")[0] == method.split(".")[0]
