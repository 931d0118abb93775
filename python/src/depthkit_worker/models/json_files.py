"""Reading the small JSON files of a checkpoint, whatever stands in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.file_kinds import not_what_it_says


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in `path`, an existing file."""
    raw = path.read_bytes()
    try:
        content = json.loads(raw)
    except RecursionError as error:
        raise _invalid(path, "its lists or objects are nested too deep to be read") from error
    except ValueError as error:
        raise _invalid(path, not_what_it_says(path) or f"it is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise _invalid(path, f"it holds a {type(content).__name__} where an object belongs")
    return content


def _invalid(path: Path, reason: str) -> DepthkitError:
    return DepthkitError(
        "MODEL_INVALID",
        f"{path} cannot be used: {reason}. Fetch the file again, or mend it.",
        path=str(path),
    )
