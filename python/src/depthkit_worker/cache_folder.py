"""Where depthkit keeps what can be made again, by the rule of the SDK."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def user_cache_folder() -> Path:
    """The one that the SDK names, or by its rule where there is none, as on a node of a cluster."""
    if own := os.environ.get("DEPTHKIT_CACHE_FOLDER") or os.environ.get("DEPTHKIT_HOME"):
        return Path(own).resolve()
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "depthkit"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "depthkit"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "depthkit"
