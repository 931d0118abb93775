"""A checkpoint that reads images too, with a shorter language model: its tower and projector as they were.

Tensors that are no part of the language model are copied byte for byte, and so are the language model's own
where nothing but blocks was removed. `text_config` gets what the plain export's configuration changed.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from transformers import AutoConfig, AutoModelForImageTextToText, PreTrainedConfig

from depthkit_worker.contract.wire import ExportOptions
from depthkit_worker.errors import DepthkitError
from depthkit_worker.export.build_checkpoint import Checkpoint
from depthkit_worker.export.copied_tensors import mapped_tensors
from depthkit_worker.export.plain_config import carry_changes
from depthkit_worker.export.verify import fixed_batch, loaded_difference, logits_of
from depthkit_worker.models.cancellable import making_obeys
from depthkit_worker.models.json_files import read_json_object
from depthkit_worker.models.leftovers import is_old_buffer
from depthkit_worker.models.stored_weights import StoredWeights, block_of, read_stored, renumbered
from depthkit_worker.models.text_part import WHOLES, own_name
from depthkit_worker.session.job import Job
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork

PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json")
NAMED = 3
"""Tensors that a message names."""


@dataclass(frozen=True)
class WithVision:
    """The whole checkpoint before it is written."""

    source: Path
    content: dict[str, Any]
    """Of config.json."""
    tensors: Mapping[str, Tensor]
    """By their names in files, as they are to be written."""
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def plan_with_vision(
    subnetwork: Subnetwork, checkpoint: Checkpoint, kept: tuple[int, ...], options: ExportOptions
) -> WithVision:
    """`kept`: the blocks that stay, by their numbers. Refuses what the whole checkpoint has no form for."""
    decoder, folder = subnetwork.decoder, subnetwork.decoder.source.folder
    content = {} if folder is None else read_json_object(folder / "config.json")
    if folder is None or content.get("model_type") not in WHOLES:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"{decoder.source.name} was to be saved with its vision tower, and it is a language model by "
            f"itself. Leave vision out; {', '.join(WHOLES)} have a tower.",
        )
    if checkpoint.layout != "plain" or checkpoint.config.model_type != decoder.config.model_type:
        raise _unsupported(
            content,
            "the language model would not be the plain one of its family",
            f"{checkpoint.notes[0] if checkpoint.notes else ''} Remove whole blocks, or save the language "
            "model by itself (vision: false).",
        )
    if options.dtype not in ("auto", decoder.source.stored_dtype):
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The checkpoint was to be saved with its vision tower, as {options.dtype}. Tower and projector "
            f"are copied as they are stored, and so is the rest, as {decoder.source.stored_dtype}. Leave the "
            "dtype out.",
            dtype=options.dtype,
        )
    stored = read_stored(folder)
    tensors = _tensors(subnetwork, checkpoint, kept, stored, content)
    outside = [name for name in stored.tensors if own_name(name) is None]
    note = (
        f"The whole {content['model_type']} checkpoint: {len(outside):,} tensors of tower and projector were "
        "copied byte for byte. Counts of parameters are the language model's alone."
    )
    notes = (note, *checkpoint.notes)
    return WithVision(
        folder, _content(subnetwork, checkpoint, content), tensors, notes, _moved(content, kept)
    )


def _tensors(
    subnetwork: Subnetwork,
    checkpoint: Checkpoint,
    kept: tuple[int, ...],
    stored: StoredWeights,
    content: Mapping[str, Any],
) -> dict[str, Tensor]:
    """Tensors that lie in the mapped source files, and the live model's where repairs or an adapter changed
    them."""
    changed = bool(subnetwork.edits) or subnetwork.decoder.source.adapter is not None
    left = dict(checkpoint.tensors) if changed else {}
    found: dict[str, Tensor] = {}
    strange: list[str] = []
    for name, tensor in _mapped(stored, content).items():
        mine = own_name(name)
        block = None if mine is None else block_of(mine)
        if mine is None or (block is None and not changed):
            found[name] = tensor
        elif block is None or block in kept:
            new, mine = renumbered(name, kept), renumbered(mine, kept)
            if not changed:
                found[new] = tensor
            elif mine in left:
                found[new] = left.pop(mine).detach().to("cpu", tensor.dtype)
            elif not is_old_buffer(mine, stored.tensors[name]):
                strange.append(name)
    if strange or left:
        raise _unsupported(
            content,
            "repairs or an adapter changed the weights, and its files have no place for "
            f"{', '.join([*left, *strange][:NAMED])} as the language model now has them",
            "Save the language model by itself (vision: false), or leave that repair out.",
        )
    return found


def _mapped(stored: StoredWeights, content: Mapping[str, Any]) -> dict[str, Tensor]:
    for path in stored.files:
        if path.suffix != ".safetensors":
            raise _unsupported(
                content, f"{path.name} is no safetensors file", "Convert the source to safetensors first."
            )
    return mapped_tensors(stored)


def _content(subnetwork: Subnetwork, checkpoint: Checkpoint, content: Mapping[str, Any]) -> dict[str, Any]:
    """The source's config.json with what the plain export changed in the language model's part of it."""
    made = copy.deepcopy(dict(content))
    # Qwen2-VL's first checkpoints have the language model's fields beside the tower's.
    text = made["text_config"] if isinstance(made.get("text_config"), dict) else made
    for name in carry_changes(text, subnetwork.decoder.config, checkpoint.config, checkpoint.fields):
        if name == "tie_word_embeddings":  # The whole ties by its own field.
            made[name] = text[name]
    return made


def _moved(content: Mapping[str, Any], kept: tuple[int, ...]) -> tuple[str, ...]:
    """What a user has to know of images, which depthkit has not looked at."""
    vision = content.get("vision_config")
    levels = vision.get("deepstack_visual_indexes") if isinstance(vision, dict) else None
    count = len(levels) if isinstance(levels, list) else 0
    seen = "Images were not looked at: what the removal costs there is not measured."
    if count and list(kept[:count]) != list(range(count)):
        return (
            f"{seen} Features of images enter behind the first {count} blocks by their number, and some of "
            "these are other blocks now: keep these where images matter.",
        )
    return (seen,)


def write_around(plan: WithVision, folder: Path) -> None:
    """All of it but weights and tokenizer."""
    text = json.dumps(plan.content, indent=2, ensure_ascii=False)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    for name in PROCESSOR_FILES:
        if (plan.source / name).is_file():
            shutil.copyfile(plan.source / name, folder / name)


def whole_config(folder: Path) -> PreTrainedConfig:
    config = AutoConfig.from_pretrained(folder)
    assert isinstance(config, PreTrainedConfig)
    return config


def difference_with_vision(subnetwork: Subnetwork, folder: Path, job: Job) -> float:
    """The largest difference of logits to text between the files in `folder`, in the library's own class for
    them, and `subnetwork` in memory, both in the loaded dtype. More than is allowed stops the export."""
    decoder = subnetwork.decoder
    ids = fixed_batch(decoder)
    config = whole_config(folder)
    for name in ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id"):
        mark = getattr(config, name, None)
        if isinstance(mark, int):  # Stands for an image, and there is none.
            ids[ids == mark] = (mark + 1) % decoder.vocabulary_size
    with removed(subnetwork):
        expected = logits_of(decoder.model, ids)
    job.check()
    with making_obeys(job):
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            folder,
            dtype=decoder.dtype,
            attn_implementation=decoder.attention_implementation,
            output_loading_info=True,
        )
    return loaded_difference(
        loaded,
        lambda model: model.eval().to(decoder.device),
        ids,
        expected,
        decoder.dtype,
        "The whole checkpoint answers text",
        ". Save the language model by itself (vision: false), and report it.",
    )


def _unsupported(content: Mapping[str, Any], why: str, remedy: str) -> DepthkitError:
    return DepthkitError(
        "EXPORT_UNSUPPORTED",
        f"The {content['model_type']} checkpoint cannot be saved with its vision tower: {why}. {remedy}",
    )
