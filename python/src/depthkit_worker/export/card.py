"""The README of an exported model: what it is made of and what is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from depthkit_worker.models.source import Source
from depthkit_worker.models.units import Unit


@dataclass(frozen=True)
class CardFacts:
    source: Source
    units: Sequence[Unit]
    kept: Sequence[int]
    depth: int
    parameters: tuple[int, int]
    """Before and after."""
    kv_bytes: tuple[int, int]
    """Bytes a token, before and after."""
    dtype: str
    weights_digest: str
    note: str


def model_card(facts: CardFacts) -> str:
    source = facts.source
    origin = source.name if source.revision is None else f"{source.name} (revision {source.revision})"
    before, after = facts.parameters
    rows = [
        ("Made from", f"`{origin}`"),
        ("Its weights (sha256)", f"`{source.weights_digest}`"),
        ("Removed", ", ".join(f"`{unit}`" for unit in facts.units) or "nothing"),
        ("Blocks that stayed, by their old numbers", ", ".join(str(index) for index in facts.kept)),
        ("Blocks", f"{facts.depth} before, {len(facts.kept)} now"),
        ("Parameters", f"{before:,} before, {after:,} now"),
        ("KV cache", f"{facts.kv_bytes[0]:,} bytes a token before, {facts.kv_bytes[1]:,} now"),
        ("Weights are stored as", facts.dtype),
        ("These weights (sha256)", f"`{facts.weights_digest}`"),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    method = facts.note.strip() or "Not recorded."
    return (
        "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- depth-pruning\n---\n"
        f"# A depth-pruned model\n\nWhole blocks of a decoder were removed with depthkit; the others are as they "
        f"were. It loads like any checkpoint of its architecture.\n\n| | |\n|---|---|\n{table}\n\n"
        f"## How the blocks were chosen\n\n{method}\n"
    )
