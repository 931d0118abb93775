"""Where the exporter and onnxruntime are installed: beside the worker's environment, never in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from depthkit_worker.errors import DepthkitError

VARIABLE = "DEPTHKIT_ONNX_ENVIRONMENT"
"""Its folder, there or not, as the program that started the worker says."""
MARKER = "depthkit-env.json"
"""In the folder of an environment that is whole."""


def onnx_python(doing: str) -> Path:
    """The interpreter there. `doing`: "Exporting to ONNX"."""
    folder = Path(os.environ.get(VARIABLE, ""))
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    if not (folder / MARKER).is_file() or not python.exists():
        raise DepthkitError(
            "MODULE_MISSING",
            f"{doing} needs optimum-onnx and onnxruntime, which have an environment of their own that is not "
            "installed. Run: npx depthkit setup --with onnx",
            module="optimum-onnx",
        )
    return python
