"""The README of an exported model: what it is made of and what is gone."""

from __future__ import annotations

from collections.abc import Sequence

from huggingface_hub import ModelCardData

from depthkit_worker.contract.wire import ExportHuggingfaceResult, ExportProvenance
from depthkit_worker.export.provenance import source_card
from depthkit_worker.repair.repair import Repair
from depthkit_worker.subnetworks.subnetwork import Subnetwork


def model_card(
    subnetwork: Subnetwork,
    result: ExportHuggingfaceResult,
    provenance: ExportProvenance,
    *,
    replaced: Sequence[int],
    layers: int,
) -> str:
    """`replaced`: blocks in whose place another one runs; `layers`: of the checkpoint."""
    rows = [
        *made_from(provenance, result.removed),
        ("Repaired with", ", ".join(_repair(repair) for repair in subnetwork.repairs) or "nothing"),
        ("Another block in their place", ", ".join(str(index) for index in replaced) or "none"),
        ("Blocks that stayed, by their old numbers", ", ".join(str(index) for index in result.kept_blocks)),
        ("Layers", f"{subnetwork.decoder.depth} before, {layers} now"),
        ("Parameters", f"{result.parameters_before:,} before, {result.parameters_after:,} now"),
        (
            "KV cache",
            f"{result.kv_bytes_per_token_before:,} bytes per token before, "
            f"{result.kv_bytes_per_token_after:,} now",
        ),
        ("Weights are stored as", result.dtype),
        ("These weights (sha256)", f"`{result.weights_digest}`"),
        ("Form", result.layout),
        ("Largest logit difference to the model in memory", f"{result.max_logit_difference:.3g}"),
    ]
    notes = "".join(f"{note}\n\n" for note in result.notes)
    front = ModelCardData(
        **source_card(subnetwork.decoder),
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["depth-pruning", *(["custom_code"] if result.layout == "depthkit" else [])],
    )
    return (
        f"---\n{front.to_yaml()}\n---\n"
        "# A depth-pruned model\n\nParts of a decoder were removed along its depth with depthkit. "
        f"{_loading(result)}\n\n{notes}{table(rows)}"
        f"{how_chosen(provenance)}"
    )


Row = tuple[str, str]


def made_from(provenance: ExportProvenance, removed: Sequence[str]) -> list[Row]:
    """The first rows of every card: the model it was made from, and what went in each export since."""
    source, steps = provenance.source, provenance.steps
    name = source.name if source.revision is None else f"{source.name} (revision {source.revision})"
    return [
        ("Made from", f"`{name}`"),
        ("Its weights (sha256)", f"`{source.weights}`"),
        *(
            (f"Export {at} of {len(steps)} removed", _name_units(step.removed))
            for at, step in enumerate(steps[:-1], 1)
        ),
        ("Removed", _name_units(removed)),
    ]


def table(rows: Sequence[Row]) -> str:
    lines = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return f"| | |\n|---|---|\n{lines}\n\n"


def how_chosen(provenance: ExportProvenance) -> str:
    return f"## How the units were chosen\n\n{provenance.steps[-1].note.strip() or 'Not recorded.'}\n"


def _name_units(units: Sequence[str]) -> str:
    return ", ".join(f"`{unit}`" for unit in units) or "nothing"


def _loading(result: ExportHuggingfaceResult) -> str:
    if result.layout == "depthkit":
        return (
            "Its layers are built by the file `modeling_depthkit.py` beside the weights: load it with "
            "`AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True)`."
        )
    if result.notes:
        return (
            "transformers loads it like any checkpoint of its architecture. For other software, mind what "
            "follows."
        )
    return "It loads like any checkpoint of its architecture."


def _repair(repair: Repair) -> str:
    units = ", ".join(str(unit) for unit in repair.removed)
    return f"{repair.method} for {units} (`{repair.digest[:12]}`)"
