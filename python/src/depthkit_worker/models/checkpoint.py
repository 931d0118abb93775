"""What a checkpoint folder holds, read without loading it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from depthkit_worker.errors import DepthkitError

DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}

# In the order in which transformers looks for them.
_SINGLE_AND_INDEX = (
    ("model.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json"),
)

_TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "spiece.model",
    "vocab.json",
    "vocab.txt",
)


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config.json."""
    path = folder / "config.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _invalid(folder, "it has no config.json") from error
    except ValueError as error:
        raise _invalid(folder, f"its config.json is not JSON: {error}") from error
    if not isinstance(content, dict) or "model_type" not in content:
        raise _invalid(folder, "its config.json names no model_type")
    return content


def weight_files(folder: Path) -> list[Path]:
    """The files transformers reads the weights from, in the order of their names."""
    for single, index in _SINGLE_AND_INDEX:
        if (folder / single).is_file():
            return [folder / single]
        if (folder / index).is_file():
            try:
                shards = sorted(set(json.loads((folder / index).read_text())["weight_map"].values()))
            except (ValueError, KeyError) as error:
                raise _invalid(folder, f"its {index} cannot be read") from error
            missing = [shard for shard in shards if not (folder / shard).is_file()]
            if missing:
                raise _invalid(folder, f"it lacks {', '.join(missing)}, which its {index} names")
            return [folder / shard for shard in shards]
    expected = ", ".join(name for pair in _SINGLE_AND_INDEX for name in pair)
    raise _invalid(folder, f"it has no weights: none of {expected}")


def stored_dtype(folder: Path, files: list[Path]) -> str:
    """The dtype most stored elements have."""
    elements: Counter[str] = Counter()
    for path in files:
        if path.suffix != ".safetensors":
            config = read_config(folder)
            return str(config.get("dtype") or config.get("torch_dtype") or "float32")
        try:
            with safe_open(path, framework="pt") as tensors:
                for name in tensors.keys():  # noqa: SIM118 (not a mapping)
                    part = tensors.get_slice(name)
                    size = 1
                    for length in part.get_shape():
                        size *= length
                    elements[part.get_dtype()] += size
        except SafetensorError as error:
            raise _invalid(folder, f"{path.name} is damaged: {error}") from error
    if not elements:
        raise _invalid(folder, "its weight files hold no tensors")
    stored = elements.most_common(1)[0][0]
    if stored not in DTYPES:
        raise DepthkitError(
            "MODEL_UNSUPPORTED",
            f"{folder} stores its weights as {stored}. depthkit reads {', '.join(DTYPES)}: use the "
            "checkpoint it was quantised from.",
            folder=str(folder),
            dtype=stored,
        )
    return DTYPES[stored]


def require_tokenizer(folder: Path) -> None:
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise _invalid(folder, f"it has no tokenizer: none of {', '.join(_TOKENIZER_FILES)}")


def _invalid(folder: Path, reason: str) -> DepthkitError:
    return DepthkitError("MODEL_INVALID", f"{folder} is not a whole checkpoint: {reason}.", folder=str(folder))
