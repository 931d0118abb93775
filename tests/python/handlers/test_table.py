"""Every method of the contract is answered by a function of the right types."""

from typing import get_type_hints

import pytest

from depthkit_worker.handlers.table import METHOD_TO_FUNCTION, resolve
from depthkit_worker.protocol.wire import METHODS
from depthkit_worker.server.call import Call
from depthkit_worker.server.session import Session


@pytest.mark.parametrize("method", METHODS)
def test_handler_takes_the_params_and_gives_the_result_of_its_method(method: str) -> None:
    params, result = METHODS[method]
    hints = get_type_hints(resolve(method))
    assert hints == {"session": Session, "params": params, "call": Call, "return": result}


def test_a_handler_lies_in_the_file_of_its_method_group() -> None:
    for method, function in METHOD_TO_FUNCTION.items():
        assert function.split(":")[0] == method.split(".")[0]
