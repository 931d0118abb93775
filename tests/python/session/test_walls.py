"""The handshake must not wait for torch: what is imported before it stays light."""

import os
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[3] / "python" / "src"


def test_a_server_with_its_handlers_imports_neither_torch_nor_transformers_nor_numpy() -> None:
    script = (
        "import sys;"
        "from depthkit_worker.handlers.table import HANDLERS;"
        "from depthkit_worker.server.local import LocalLine;"
        "from depthkit_worker.server.server import Server;"
        "line = LocalLine('token');"
        "Server(line, HANDLERS);"
        "print([name for name in ('torch', 'transformers', 'numpy') if name in sys.modules]);"
        "line.close()"  # its socket would be left behind
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    output = subprocess.check_output([sys.executable, "-c", script], env=environment, text=True)
    assert output.strip() == "[]"
