"""A write without room, by the number that the system gives, in whatever a library makes of it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors import SafetensorError

from depthkit_worker.disk_full import disk_full
from depthkit_worker.session.failure import describe

NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@pytest.mark.parametrize("number", NUMBERS, ids=errno.errorcode.__getitem__)
def test_each_is_disk_full_also_in_the_words_of_safetensors(number: int) -> None:
    told = OSError(number, os.strerror(number))
    wrapped = SafetensorError(
        f"Error while serializing: I/O error: {os.strerror(number)} (os error {number})"
    )
    for error in (told, wrapped):
        assert disk_full(error) is not None
        assert describe(error).code == "DISK_FULL"


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "closed"), SafetensorError("(os error 281)"), ValueError("28")]
)
def test_anything_else_is_not(error: Exception) -> None:
    assert disk_full(error) is None


EXPORT = """
import resource, sys
from pathlib import Path
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.units import Unit
from export.checkpoints import save
from tiny import tiny_model

decoder = Decoder(tiny_model("llama"))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    save(decoder, (Unit("block", 1),), Path(sys.argv[1]))
except DepthkitError as error:
    print(error.code, error.message)
"""


@pytest.mark.skipif(os.name == "nt", reason="limits of file sizes are POSIX")
def test_an_export_beyond_the_limit_of_file_sizes_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    script = [sys.executable, "-c", EXPORT, str(tmp_path / "o")]
    output = subprocess.check_output(script, env=environment, text=True)
    assert output.startswith("DISK_FULL") and "a limit of this user (ulimit -f)" in output
    assert list(tmp_path.iterdir()) == []
