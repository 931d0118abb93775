"""Whether a GGUF file can hold a subnetwork, settled before any work: the one place of all refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from depthkit_worker.export.block_places import Place, head_of, places_of
from depthkit_worker.export.gguf.architectures import ARCHITECTURES, DECI, LLAMA_TENSORS, Architecture
from depthkit_worker.export.gguf.layers import Layer, layers_of
from depthkit_worker.export.gguf.stored import KINDS
from depthkit_worker.export.gguf.tokenizer import tokenizer_fault
from depthkit_worker.export.quantised import quantised_fault
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.manifest import read_manifest
from depthkit_worker.subnetworks.subnetwork import Subnetwork

PLAIN_ROPES = ("default", "linear", "llama3")
CONVERTER = "python convert_hf_to_gguf.py FOLDER --outfile FILE.gguf"


@dataclass(frozen=True)
class GgufPlan:
    architecture: Architecture
    """The whole model's."""
    written: str
    """The file's `general.architecture`."""
    layers: tuple[Layer, ...]
    entry_factor: float
    entry_vector: Tensor | None
    head: Tensor | None
    """A weight in the place of the head's own."""
    from_gguf: str | None
    """The sha256 of the GGUF file that the model was made from; None: its own checkpoint is converted."""

    @property
    def changes_entry(self) -> bool:
        return self.entry_factor != 1 or self.entry_vector is not None


def plan_gguf(subnetwork: Subnetwork, *, in_any_order: bool = False) -> GgufPlan | str:
    """How `subnetwork` becomes a GGUF file, or why it cannot. `in_any_order`: as if llama.cpp took no block's
    kind from its number."""
    if (fault := quantised_fault(subnetwork, "gguf")) is not None:
        return fault
    decoder, places = subnetwork.decoder, places_of(subnetwork)
    architecture = ARCHITECTURES.get(decoder.family.model_type)
    if architecture is None:
        return f"llama.cpp is not known to read {decoder.family.model_type}"
    origin = gguf_origin(decoder)
    if origin is None and (fault := _not_converted(decoder, architecture)) is not None:
        return fault
    found = layers_of(places, getattr(decoder.config, "rms_norm_eps", None))
    if isinstance(found, str):
        return found
    if not any(layer.attention is not None for layer in found.layers):
        return "every attention is removed, and llama.cpp needs one: keep one"
    plan = GgufPlan(
        architecture=architecture,
        written=architecture.name if all(layer.whole for layer in found.layers) else DECI,
        layers=tuple(found.layers),
        entry_factor=found.entry_factor,
        entry_vector=found.entry_vector,
        head=head_of(subnetwork),
        from_gguf=origin,
    )
    faults = (
        _form_fault(plan, decoder),
        None if in_any_order else _order_fault(plan, decoder),
        _count_fault(plan, decoder),
        _constant_fault(plan),
        _change_fault(plan, places),
    )
    return next((fault for fault in faults if fault is not None), plan)


def gguf_origin(decoder: Decoder) -> str | None:
    """The sha256 of the GGUF file that a model was converted from at loading."""
    folder = decoder.source.folder
    manifest = None if folder is None else read_manifest(folder)
    return None if manifest is None else manifest.sha256


def _form_fault(plan: GgufPlan, decoder: Decoder) -> str | None:
    if plan.written == plan.architecture.name or plan.architecture.has_deci_form:
        return None
    layer = next(layer for layer in plan.layers if not layer.whole)
    return (
        f"at block {layer.index} a layer lacks its attention or feed-forward, or is a low-rank update. "
        f"llama.cpp has such layers for Llama's shape alone (arch {DECI}), and this model is "
        f"{decoder.family.model_type} ({plan.architecture.name})"
    )


def goes_by_number(decoder: Decoder) -> bool:
    """Whether llama.cpp takes the kind of this model's blocks from their numbers."""
    architecture = ARCHITECTURES.get(decoder.family.model_type)
    periodic = architecture is not None and architecture.fixed_period is not None
    return periodic and decoder.pattern is not None


def _order_fault(plan: GgufPlan, decoder: Decoder) -> str | None:
    """What llama.cpp takes from a block's number."""
    architecture, pattern, name = plan.architecture, decoder.pattern, plan.architecture.name
    kept = [layer.index for layer in plan.layers]
    if architecture.fixed_period is not None and pattern is not None and (strays := pattern.strays(kept)):
        return (
            f"llama.cpp takes every {architecture.fixed_period}. block of {name} for one without rotary "
            f"positions, by its number, and no metadata says otherwise. These blocks are of another kind "
            f"than their new number has: {', '.join(map(str, strays))}"
        )
    return None


def _count_fault(plan: GgufPlan, decoder: Decoder) -> str | None:
    """What llama.cpp takes from the number of blocks."""
    special, kept, name = plan.architecture.scaled_at, plan.layers, plan.architecture.name
    if special is not None and len(kept) != decoder.depth and special in (len(kept), decoder.depth):
        return (
            f"llama.cpp scales the attention of {name} otherwise with {special} blocks than with any other "
            f"number, and {decoder.depth} become {len(kept)}"
        )
    return None


def _constant_fault(plan: GgufPlan) -> str | None:
    name = plan.architecture.name
    if any(layer.bias is not None for layer in plan.layers) and not plan.architecture.reads_bias:
        return (
            f"a constant would be an output bias of a feed-forward, which llama.cpp ignores in {name} "
            "without a word"
        )
    if plan.changes_entry and not plan.architecture.embedding_enters:
        return f"the embedding of {name} cannot hold what is added in front of the first block"
    if not _is_llama(plan) and (plan.entry_factor != 1 or any(layer.factor != 1 for layer in plan.layers)):
        return f"factors of the stream are folded into Llama's tensors alone, and this is {name}"
    return None


def _change_fault(plan: GgufPlan, places: Sequence[Place]) -> str | None:
    changed = [place.index for place in places if place.weights or place.replaced]
    if not _is_llama(plan) and (changed or plan.head is not None):
        where = "the head" if not changed else f"block {changed[0]}"
        return (
            f"the weights of {where} are changed, and {plan.architecture.name} keeps its weights in another "
            "form in a GGUF file; changed weights are written for llama alone"
        )
    known = {f"{name}.{kind}" for name in LLAMA_TENSORS for kind in ("weight", "bias")}
    for place in places:
        strange = [name for name in place.weights if name not in known]
        if strange:
            return f"block {place.index} has a changed {strange[0]}, which has no name in a GGUF file"
    return None


def _is_llama(plan: GgufPlan) -> bool:
    return plan.architecture.has_deci_form


def _not_converted(decoder: Decoder, architecture: Architecture) -> str | None:
    """Why a checkpoint that did not come from a GGUF file is not turned into one here."""
    config = decoder.config
    if not architecture.has_deci_form:
        return (
            f"the model did not come from a GGUF file, and of such only llama and mistral are converted; "
            f"this is {decoder.family.model_type}. Load the model from its GGUF file, or export to "
            f"huggingface where that is plain and use llama.cpp's converter: {CONVERTER}"
        )
    if decoder.source.stored_dtype not in KINDS:
        return (
            f"its weights are stored as {decoder.source.stored_dtype}, and {', '.join(KINDS)} are converted"
        )
    rope = config.rope_parameters["rope_type"]
    if rope not in PLAIN_ROPES:
        return (
            f"its rotary positions are of the kind {rope}, and {', '.join(PLAIN_ROPES)} are converted here; "
            f"export to huggingface and use llama.cpp's converter: {CONVERTER}"
        )
    if config.hidden_act != "silu":
        return f"its activation is {config.hidden_act}, and llama.cpp computes silu for llama"
    if getattr(config, "sliding_window", None) is not None:
        return "it has sliding windows, which llama.cpp ignores in arch llama"
    return tokenizer_fault(decoder)
