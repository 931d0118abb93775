"""Saving subnetworks and loading them again as stock software does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import AutoModelForCausalLM, DynamicCache, PreTrainedModel

from depthkit_worker.contract.wire import ExportHuggingfaceResult, ExportOptions
from depthkit_worker.export.huggingface import export_huggingface
from depthkit_worker.export.shards import MAX_SHARD_BYTES
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.kv_cache import cache_keyword
from depthkit_worker.models.onednn import use_onednn
from depthkit_worker.models.units import Unit
from depthkit_worker.repair.repair import Repair
from depthkit_worker.session.job import Unattended
from depthkit_worker.subnetworks.subnetwork import Subnetwork


def save(
    decoder: Decoder,
    units: tuple[Unit, ...],
    target: Path,
    repairs: tuple[Repair, ...] = (),
    max_shard_bytes: int = MAX_SHARD_BYTES,
    **options: Any,
) -> ExportHuggingfaceResult:
    subnetwork = Subnetwork(decoder, units, repairs)
    return export_huggingface(
        subnetwork, target, ExportOptions(**options), Unattended(), max_shard_bytes=max_shard_bytes
    )


def reload(folder: Path, **options: Any) -> PreTrainedModel:
    """As stock software loads it, parameters copied out of the mapped file, and products by the library that
    multiplies in memory."""
    loaded: Any = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True, **options)
    model, report = loaded
    assert not any(report.values())
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
    assert isinstance(model, PreTrainedModel)
    model.eval()
    use_onednn(model)
    return model


def logits(model: PreTrainedModel, ids: Tensor) -> Tensor:
    with torch.no_grad():
        output = model(input_ids=ids, use_cache=False).logits
    assert isinstance(output, Tensor)
    return output


def greedy(
    model: PreTrainedModel, ids: Tensor, cache: DynamicCache | None = None, **options: Any
) -> list[int]:
    if cache is not None:
        # MPT's configuration has it off, and generate would then read every token anew behind the kept ones.
        options |= {cache_keyword(model): cache, "use_cache": True}
    output = model.generate(  # type: ignore[operator]
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=10,
        do_sample=False,
        pad_token_id=0,
        **options,
    )
    written: list[int] = output[0].tolist()
    return written


def tensor_names(folder: Path) -> dict[str, str]:
    """Every tensor with its dtype, from the files' headers."""
    found: dict[str, str] = {}
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            found.update({name: file.get_slice(name).get_dtype() for name in file.keys()})  # noqa: SIM118
    return found


def block_numbers(folder: Path) -> set[int]:
    return {
        int(match[1])
        for name in tensor_names(folder)
        if (match := re.search(r"\.(?:h|layers|blocks)\.(\d+)\.", name))
    }


def saved_config(folder: Path) -> dict[str, Any]:
    content = json.loads((folder / "config.json").read_text())
    assert isinstance(content, dict)
    return content
