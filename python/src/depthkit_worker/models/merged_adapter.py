"""A LoRA adapter, merged into the weights of the model that it was trained for."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from peft import LoraConfig, PeftConfig, PeftModel, set_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from transformers import PreTrainedModel

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.adapter_files import CONFIG
from depthkit_worker.models.file_kinds import not_what_it_says
from depthkit_worker.models.first_line import first_line
from depthkit_worker.models.folders import sha256_of_files
from depthkit_worker.models.json_files import read_json_object

WEIGHTS = "adapter_model.safetensors"
NAMED = 5
"""Tensors that a message names."""


@dataclass(frozen=True)
class Adapter:
    """A whole LoRA adapter in a folder."""

    folder: Path
    config: LoraConfig

    @property
    def files(self) -> tuple[Path, Path]:
        return self.folder / CONFIG, self.folder / WEIGHTS

    def digest(self, weights_digest: str, check: Callable[[], None]) -> str:
        """sha256 over a base's digest and the adapter's: what the merged weights are determined by."""
        own = sha256_of_files(self.files, check)
        return hashlib.sha256(f"{weights_digest}+{own}".encode()).hexdigest()


def read_adapter(folder: Path) -> Adapter:
    """The adapter in `folder`; its weights are not read yet."""
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            refuse_adapter(folder, f"it has no {name}")
    content = read_json_object(folder / CONFIG)
    kind, task = content.get("peft_type"), content.get("task_type")
    if kind != "LORA":
        refuse_adapter(
            folder, f"its peft_type is {kind!r}, and LORA is what can be taken", "MODEL_UNSUPPORTED"
        )
    if task not in (None, "CAUSAL_LM"):
        refuse_adapter(
            folder, f"its task_type is {task!r}, and CAUSAL_LM is what has logits", "MODEL_UNSUPPORTED"
        )
    try:
        config = PeftConfig.from_pretrained(str(folder))
    except Exception as error:  # Configurations of newer releases raise whatever they do.
        refuse_adapter(folder, f"peft cannot read its {CONFIG}: {first_line(error)}")
    assert isinstance(config, LoraConfig)
    return Adapter(folder, config)


def read_tensors(adapter: Adapter) -> dict[str, Tensor]:
    path = adapter.folder / WEIGHTS
    fault = not_what_it_says(path)
    if fault is not None:
        refuse_adapter(adapter.folder, f"{WEIGHTS} is not what it says: {fault}")
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        refuse_adapter(adapter.folder, f"{WEIGHTS} is damaged: {error}")


def merge_adapter(model: PreTrainedModel, adapter: Adapter) -> tuple[str, ...]:
    """Add `adapter` to the weights of `model`, and say so."""
    folder, tensors = adapter.folder, read_tensors(adapter)
    tied = bool(model.config.tie_word_embeddings)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # What they warn of is refused below.
            wrapped = PeftModel(model, adapter.config)
            _refuse_tied(folder, model, tied)
            report: Any = set_peft_model_state_dict(wrapped, tensors)
    except DepthkitError:
        raise
    except Exception as error:  # A module that is not there is a ValueError, another shape a RuntimeError.
        refuse_adapter(folder, f"it does not fit the model: {first_line(error)}")
    missing = [name for name in report.missing_keys if "lora_" in name or "modules_to_save" in name]
    if missing or report.unexpected_keys:
        lists = {"missing": missing, "unexpected": list(report.unexpected_keys)}
        told = "; ".join(f"{kind}: {', '.join(names[:NAMED])}" for kind, names in lists.items() if names)
        refuse_adapter(folder, f"its tensors are not those that its {CONFIG} asks for of this model: {told}")
    try:
        wrapped.merge_and_unload(safe_merge=True)
    except ValueError as error:  # NaN or infinity in what comes out.
        refuse_adapter(folder, f"merged, the weights are broken: {first_line(error)}")
    model.requires_grad_(False)
    model.eval()
    return (
        f"The LoRA adapter of {folder} was merged into the weights: all figures and exports are those of the "
        f"merged model, and its digest covers both.{_untied(model, tied)}",
    )


def _refuse_tied(folder: Path, model: PreTrainedModel, tied: bool) -> None:
    """One matrix would take what was meant for the head or for the embedding alone."""
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    if tied and any(isinstance(end, BaseTunerLayer) for end in ends):
        refuse_adapter(
            folder,
            "it changes the embedding or the head by low rank, and the model has one matrix for both",
            "MODEL_UNSUPPORTED",
        )


def _untied(model: PreTrainedModel, tied: bool) -> str:
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    assert head is not None
    if not tied or head.weight is embedding.weight:
        return ""
    model.config.tie_word_embeddings = False
    return " It brings a head or an embedding of its own, so the two are tied no longer."


def refuse_adapter(folder: Path, reason: str, code: str = "MODEL_INVALID") -> NoReturn:
    """Raises what says why an adapter is not taken."""
    raise DepthkitError(
        code,
        f"The adapter in {folder} cannot be taken: {reason}. An adapter is a folder with {CONFIG} and "
        f"{WEIGHTS}, as peft saves them, for the very model that is loaded.",
        folder=str(folder),
    )
