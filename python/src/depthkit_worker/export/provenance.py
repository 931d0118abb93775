"""What an export was made from: for programs in `depthkit.json`, for the hub in its card's front matter, and
the licence files as they are."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from huggingface_hub.repocard import metadata_load

from depthkit_worker.contract.wire import (
    ExportedRepair,
    ExportOrigin,
    ExportProvenance,
    ExportStep,
)
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.provenance_file import FILE, VERSION, read_provenance
from depthkit_worker.models.bundled import BUNDLED, BUNDLED_CARDS
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.source import Source
from depthkit_worker.subnetworks.subnetwork import Subnetwork

LICENSE_FILES = ("LICENSE*", "LICENCE*", "COPYING*", "NOTICE*", "USE_POLICY*", "license*", "notice*")
KEPT_IN_CARD = ("license", "license_name", "license_link", "language", "base_model")
"""What of a source's front matter holds for what is made from it as well."""


@dataclass(frozen=True)
class Made:
    """What an export wrote."""

    removed: tuple[str, ...]
    kept_blocks: tuple[int, ...]
    layout: Literal["plain", "depthkit", "gguf", "onnx"]
    dtype: str
    weights: str
    """Digest."""
    adapter: str | None = None
    """Digest of the one beside packed weights."""


def provenance_of(
    subnetwork: Subnetwork, made: Made, note: str, before: ExportProvenance | None
) -> ExportProvenance:
    """That of the source, `before`, with one step more."""
    source = subnetwork.decoder.source
    license_ = source_card(subnetwork.decoder).get("license")
    step = ExportStep(
        depthkit=_version(),
        from_weights=source.weights_digest,
        removed=made.removed,
        kept_blocks=made.kept_blocks,
        repairs=tuple(
            ExportedRepair(method=one.method, removed=tuple(map(str, one.removed)), digest=one.digest)
            for one in subnetwork.repairs
        ),
        layout=made.layout,
        dtype=made.dtype,
        weights=made.weights,
        adapter=made.adapter,
        note=note,
    )
    origin = ExportOrigin(
        name=public_name(source),
        revision=source.revision,
        weights=source.weights_digest,
        license=license_ if isinstance(license_, str) else None,
    )
    return ExportProvenance(
        version=VERSION,
        source=origin if before is None else before.source,
        steps=(*(() if before is None else before.steps), step),
    )


def provenance_beside(decoder: Decoder) -> ExportProvenance | None:
    """What the source's folder says of itself; None where nothing."""
    folder = decoder.source.folder
    if folder is None or not (folder / FILE).is_file():
        return None
    return read_provenance((folder / FILE).read_bytes(), folder / FILE)


def copy_licenses(decoder: Decoder, folder: Path) -> None:
    if decoder.source.folder is None:
        return
    for pattern in LICENSE_FILES:
        for path in sorted(decoder.source.folder.glob(pattern)):
            if path.is_file():
                shutil.copyfile(path, folder / path.name)


def source_card(decoder: Decoder) -> dict[str, Any]:
    """What of the source's front matter an export keeps; a hub id is itself the base."""
    source = decoder.source
    found: dict[str, Any] = dict(BUNDLED_CARDS.get(source.name, {}))
    if source.folder is not None and (source.folder / "README.md").is_file():
        try:
            found |= metadata_load(source.folder / "README.md") or {}
        except Exception as error:  # Not a mapping, or whatever a reader of YAML raises.
            raise DepthkitError(
                "MODEL_INVALID",
                f"{source.folder / 'README.md'}: the front matter between its --- lines cannot be read, and "
                f"it names the licence. Mend it or remove the file. {error}",
            ) from error
    if source.revision is not None:
        found["base_model"] = source.name
    return {name: found[name] for name in KEPT_IN_CARD if found.get(name)}


def public_name(source: Source) -> str:
    """The source without the folders of this machine, and the adapter that was merged into it."""
    merged = "" if source.adapter is None else f" with the adapter {Path(source.adapter).name} merged"
    return _base_name(source) + merged


def _base_name(source: Source) -> str:
    if source.revision is not None or source.folder is None or source.name in BUNDLED:
        return source.name
    return Path(source.name).name or source.folder.name


@cache
def _version() -> str:
    package = Path(__file__).parents[4] / "package.json"
    return str(json.loads(package.read_text(encoding="utf-8"))["version"])
