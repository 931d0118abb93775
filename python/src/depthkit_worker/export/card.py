"""The README of an exported model: what it is made of and what is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from depthkit_worker.export.build_checkpoint import Layout
from depthkit_worker.repair.repair import Repair
from depthkit_worker.subnetworks.subnetwork import Subnetwork


@dataclass(frozen=True)
class CardFacts:
    subnetwork: Subnetwork
    replaced: Sequence[int]
    """Blocks in whose place another one runs."""
    kept: Sequence[int]
    layers: int
    """Of the checkpoint."""
    layout: Layout
    notes: Sequence[str]
    difference: float | None
    parameters: tuple[int, int]
    """Before and after."""
    kv_bytes: tuple[int, int]
    """Bytes a token, before and after."""
    dtype: str
    weights_digest: str
    note: str


def model_card(facts: CardFacts) -> str:
    subnetwork = facts.subnetwork
    source = subnetwork.decoder.source
    origin = source.name if source.revision is None else f"{source.name} (revision {source.revision})"
    before, after = facts.parameters
    rows = [
        ("Made from", f"`{origin}`"),
        ("Its weights (sha256)", f"`{source.weights_digest}`"),
        ("Removed", ", ".join(f"`{unit}`" for unit in subnetwork.shortest_units) or "nothing"),
        ("Repaired with", ", ".join(_repair(repair) for repair in subnetwork.repairs) or "nothing"),
        ("Another block in their place", ", ".join(str(index) for index in facts.replaced) or "none"),
        ("Blocks that stayed, by their old numbers", ", ".join(str(index) for index in facts.kept)),
        ("Layers", f"{subnetwork.decoder.depth} before, {facts.layers} now"),
        ("Parameters", f"{before:,} before, {after:,} now"),
        ("KV cache", f"{facts.kv_bytes[0]:,} bytes a token before, {facts.kv_bytes[1]:,} now"),
        ("Weights are stored as", facts.dtype),
        ("These weights (sha256)", f"`{facts.weights_digest}`"),
        ("Form", facts.layout),
        ("Largest logit difference to the model in memory", _difference(facts.difference)),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    method = facts.note.strip() or "Not recorded."
    notes = "".join(f"{note}\n\n" for note in facts.notes)
    tags = "tags:\n- depth-pruning\n" + ("- custom_code\n" if facts.layout == "depthkit" else "")
    return (
        f"---\nlibrary_name: transformers\npipeline_tag: text-generation\n{tags}---\n"
        "# A depth-pruned model\n\nParts of a decoder were removed along its depth with depthkit. "
        f"{_LOADING[facts.layout]}\n\n{notes}| | |\n|---|---|\n{table}\n\n"
        f"## How the units were chosen\n\n{method}\n"
    )


_LOADING: Mapping[Layout, str] = {
    "plain": "It loads like any checkpoint of its architecture.",
    "depthkit": "Its layers are built by the file `modeling_depthkit.py` beside the weights: load it with "
    "`AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)`.",
}


def _repair(repair: Repair) -> str:
    units = ", ".join(str(unit) for unit in repair.removed)
    return f"{repair.method} for {units} (`{repair.digest[:12]}`)"


def _difference(value: float | None) -> str:
    return "not compared" if value is None else f"{value:.3g}"
