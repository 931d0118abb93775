"""What the exporter can make a graph of: said before any work, and without its environment."""

from __future__ import annotations

from packaging.version import Version

from depthkit_worker.export.block_places import places_of
from depthkit_worker.export.folding import Folds, plan_folds
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.own_layout.library_versions import oldest
from depthkit_worker.subnetworks.subnetwork import Subnetwork

LIBRARY = "4.57.6"
"""The transformers in python/requirements-onnx.txt, which optimum-onnx asks for."""

RUN = (
    "arcee",
    "bloom",
    "cohere",
    "falcon",
    "gemma",
    "gemma2",
    "gemma3_text",
    "glm",
    "gpt2",
    "gpt_bigcode",
    "gpt_neox",
    "gpt_oss",
    "gptj",
    "granite",
    "helium",
    "llama",
    "mistral",
    "mpt",
    "olmo",
    "olmo2",
    "opt",
    "phi3",
    "qwen2",
    "qwen3",
    "smollm3",
    "stablelm",
)
"""Families that were exported and run in onnxruntime, and that transformers.js knows. Mixtures whose experts
the exporter would follow for its own tokens alone are not among them."""


def onnx_fault(subnetwork: Subnetwork) -> str | None:
    """Why there is no graph of `subnetwork`, of which there is a checkpoint; None where there is one."""
    decoder, places = subnetwork.decoder, places_of(subnetwork)
    folds = plan_folds(decoder, places)
    family = "llama" if isinstance(folds, Folds) and folds.as_llama else decoder.family.model_type
    if family not in RUN:
        return f"the family {family} was not exported to ONNX yet; those that were: {', '.join(RUN)}"
    if getattr(decoder.config, "new_decoder_architecture", False):
        return "the exporter gives a Falcon with grouped heads a cache of another shape than its own"
    if getattr(decoder.config, "scale_attn_by_inverse_layer_idx", False):
        return f"transformers {LIBRARY}, which the exporter needs, drops scale_attn_by_inverse_layer_idx"
    if isinstance(folds, str):
        return _own_form_fault(decoder, folds)
    return None


def _own_form_fault(decoder: Decoder, reason: str) -> str | None:
    """`reason`: why the checkpoint in between cannot be plain."""
    needed = oldest(decoder)
    if Version(LIBRARY) >= Version(needed):
        return None
    return (
        f"it is no plain checkpoint ({reason}), and depthkit's own form of the family "
        f"{decoder.family.model_type} needs transformers {needed}, while the exporter has {LIBRARY}"
    )
