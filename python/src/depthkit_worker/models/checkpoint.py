"""What a checkpoint folder holds besides weights, read without loading it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.adapter_files import refuse_adapter_alone
from depthkit_worker.models.file_kinds import not_what_it_says
from depthkit_worker.models.first_line import first_line
from depthkit_worker.models.json_files import read_json_object

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "vocab.txt",
)
_READ_WITH_IT = (*_TOKENIZER_FILES, "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config.json."""
    path = folder / "config.json"
    if not path.is_file():
        refuse_adapter_alone(folder)
        raise _invalid(folder, "it has no config.json")
    content = read_json_object(path)
    if "model_type" not in content:
        raise _invalid(folder, "its config.json names no model_type")
    return content


def require_tokenizer(folder: Path) -> None:
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise _invalid(folder, f"it has no tokenizer: none of {', '.join(_TOKENIZER_FILES)}")


def unreadable_tokenizer(folder: Path, error: BaseException) -> DepthkitError:
    """The refusal of a tokenizer that the library failed to read, with the file at fault where it is seen."""
    for name in _READ_WITH_IT:
        path = folder / name
        fault = not_what_it_says(path) if path.is_file() else None
        if fault is not None:
            return _invalid_tokenizer(path, fault)
        if path.is_file() and path.suffix == ".json":
            read_json_object(path)
    return _invalid_tokenizer(folder, f"transformers says: {first_line(error)}")


def _invalid_tokenizer(path: Path, reason: str) -> DepthkitError:
    return DepthkitError(
        "MODEL_INVALID",
        f"The tokenizer cannot be read from {path}: {reason}. Fetch the model's tokenizer files again.",
        path=str(path),
    )


def _invalid(folder: Path, reason: str) -> DepthkitError:
    return DepthkitError(
        "MODEL_INVALID", f"{folder} is not a whole checkpoint: {reason}.", folder=str(folder)
    )
