"""Files written a piece at a time are the library's own, byte for byte, and a cancel is seen between
pieces."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from depthkit_worker.errors import DepthkitError
from depthkit_worker.export import safetensors_file
from depthkit_worker.export.plain_weights import as_stored
from depthkit_worker.export.safetensors_file import DTYPES, write_tensors
from depthkit_worker.session.job import Unattended, cancelled


def of_every_kind() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    found = {f"layer.{at}.{dtype}": (torch.randn(3, 5) * 9).to(dtype) for at, dtype in enumerate(DTYPES)}
    return found | {
        "turned": torch.randn(7, 4).T,
        "part": torch.randn(6, 6)[:, 2:5],
        "scalar": torch.tensor(2.5),
        "none": torch.zeros(0, 4),
        'a "name" of ünusual letters\n': torch.ones(2),
    }


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_file_is_the_librarys_byte_for_byte(
    dtype: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safetensors_file, "PIECE_BYTES", 16)
    tensors = of_every_kind()
    pieces = list(write_tensors(tensors, tmp_path / "ours", dtype, Unattended()))
    stored = {name: as_stored(tensor, dtype) for name, tensor in tensors.items()}
    save_file(stored, tmp_path / "theirs", metadata={"format": "pt"})
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()
    assert sum(pieces) == sum(tensor.nbytes for tensor in stored.values())
    assert max(pieces) == 16


def test_a_cancel_is_seen_within_a_tensor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class AfterThree(Unattended):
        looks = 0

        def check(self) -> None:
            self.looks += 1
            if self.looks > 3:
                raise cancelled()

    monkeypatch.setattr(safetensors_file, "PIECE_BYTES", 1000)
    with pytest.raises(DepthkitError, match="cancelled"):
        list(write_tensors({"large": torch.zeros(10_000)}, tmp_path / "o", torch.float32, AfterThree()))
    assert (tmp_path / "o").stat().st_size < 10_000
