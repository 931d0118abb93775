"""The handshake must not wait for torch: what is imported before it stays light."""

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[3] / "python" / "src"


def test_the_server_imports_neither_torch_nor_transformers_nor_numpy() -> None:
    script = (
        "import sys, depthkit_worker.server.server;"
        "print([name for name in ('torch', 'transformers', 'numpy') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    output = subprocess.check_output([sys.executable, "-c", script], env=environment, text=True)
    assert output.strip() == "[]"
