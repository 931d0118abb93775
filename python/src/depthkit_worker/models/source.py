"""Where a model's weights came from, so that a result can name them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from depthkit_worker.models.quantised import Quantisation


@dataclass(frozen=True)
class Source:
    """A loaded checkpoint.

    `weights_digest` is the sha256 over the bytes of the weight files, one after the other in the order
    of their names. The same tensors in other shards have another digest. Where an adapter was merged, it is
    taken over that digest and the adapter's.
    """

    name: str
    """The bundled name, folder, file or hub id that was asked for."""
    revision: str | None
    """A hub id's resolved commit; None for anything on disk."""
    folder: Path | None
    """The folder that was read; None for a model made in memory."""
    weights_digest: str
    stored_dtype: str
    """The dtype most of the stored weights have that are not quantised, such as bfloat16."""
    notes: tuple[str, ...] = ()
    """What lies in the checkpoint and was not loaded, or not loaded as it says."""
    adapter: str | None = None
    """The adapter that was merged into the weights, as it was asked for."""
    layout: str | None = None
    """Digest of depthkit's own layout, where the checkpoint is in it: some of its numbers are no tensor's."""
    quantisation: Quantisation | None = None
    """How the weights are quantised; None: they are not."""
    stored_bytes: Mapping[str, int] = field(default_factory=dict)
    """Of a quantised checkpoint's tensors, by their names in the files: no one dtype says what they take."""


IN_MEMORY = Source("in memory", None, None, "0" * 64, "float32")
