import pytest

from depthkit_worker.contract.envelope import TensorHeader
from depthkit_worker.contract.frames import read_frames
from depthkit_worker.errors import DepthkitError


def test_frames_are_views_of_what_came() -> None:
    buffer = memoryview(bytes(24))
    (frame,) = read_frames([TensorHeader("float64", [3])], [buffer])
    assert frame.data is buffer
    assert frame.shape == (3,)


@pytest.mark.parametrize(
    ("dtype", "shape"), [("float64", [4]), ("float16", [12]), ("uint8", [-24]), ("float32", [2, 2])]
)
def test_a_frame_that_is_not_what_its_header_says_is_refused(dtype: str, shape: list[int]) -> None:
    with pytest.raises(DepthkitError) as caught:
        read_frames([TensorHeader(dtype, shape)], [memoryview(bytes(24))])
    assert caught.value.code == "PROTOCOL"


def test_as_many_frames_as_headers() -> None:
    with pytest.raises(DepthkitError, match="announced 1 tensor frames and brought 0"):
        read_frames([TensorHeader("uint8", [0])], [])
