"""The README of an ONNX export: what it is made of, what is gone, and how each graph answers."""

from __future__ import annotations

from huggingface_hub import ModelCardData

from depthkit_worker.contract.wire import ExportOnnxResult, ExportProvenance
from depthkit_worker.export.card import how_chosen, made_from, table
from depthkit_worker.export.provenance import source_card
from depthkit_worker.subnetworks.subnetwork import Subnetwork


def onnx_card(subnetwork: Subnetwork, result: ExportOnnxResult, provenance: ExportProvenance) -> str:
    rows = [
        *made_from(provenance, result.removed),
        ("Repaired with", ", ".join(repair.method for repair in subnetwork.repairs) or "nothing"),
        ("Blocks that stayed, by their old numbers", ", ".join(map(str, result.kept_blocks))),
        ("Caches", f"{subnetwork.decoder.depth} before, {result.layers} now"),
        ("Parameters", f"{result.parameters_before:,} before, {result.parameters_after:,} now"),
        ("These graphs (sha256)", f"`{result.weights_digest}`"),
    ]
    graphs = [
        f"| `{graph.file}` | {graph.bytes:,} | {graph.largest_difference:.2g} | {graph.agreement:.1%} |"
        for graph in result.graphs
    ]
    front = ModelCardData(
        **source_card(subnetwork.decoder),
        library_name="transformers.js",
        pipeline_tag="text-generation",
        tags=["depth-pruning", "onnx"],
    )
    first = result.graphs[0].dtype
    notes = "".join(f"{note}\n\n" for note in result.notes)
    return (
        f"---\n{front.to_yaml()}\n---\n"
        "# A depth-pruned model in ONNX\n\nParts of a decoder were removed along its depth with depthkit. "
        f'transformers.js loads it: `pipeline("text-generation", folder, {{ dtype: "{first}" }})`. Any other '
        "software on onnxruntime runs the graphs with their cache.\n\n"
        f"{notes}{table(rows)}"
        "As each graph answers in onnxruntime, beside the model in memory:\n\n"
        "| graph | bytes | largest difference of log-probabilities | likeliest tokens that agree |\n"
        "|---|---|---|---|\n" + "\n".join(graphs) + "\n\n"
        f"{how_chosen(provenance)}"
    )
