"""Extras of the worker's environment: what `depthkit setup --with` adds to it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path


def is_installed(module: str) -> bool:
    """Looked for anew: an extra may come while the worker runs."""
    importlib.invalidate_caches()
    return importlib.util.find_spec(module) is not None


def install_command(extra: str) -> str:
    """What adds `extra` to this interpreter, depthkit's own environment or the user's."""
    if (Path(sys.prefix) / "depthkit-env.json").exists():
        return f"npx depthkit setup --with {extra}"
    requirements = Path(__file__).parents[3] / f"requirements-{extra}.txt"
    return f'"{sys.executable}" -m pip install -r "{requirements}"'
