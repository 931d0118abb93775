"""Tiny random checkpoints, quantised: by the libraries themselves, and FP8, which needs a GPU for that, by
its definition."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from compressed_tensors.compressors import ModelCompressor
from compressed_tensors.quantization import (
    QuantizationArgs,
    QuantizationConfig,
    QuantizationScheme,
    QuantizationStatus,
    apply_quantization_config,
)
from compressed_tensors.quantization.utils import calculate_qparams
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from tiny import VOCABULARY, random_model, t_llama_config

LEFT = ["model.layers.3.mlp.down_proj", "lm_head"]
"""Modules that are left as they were."""
SIZE = 32
"""Weights that share a scale."""


def small_llama() -> PreTrainedModel:
    """As T-llama, with few tokens: its widths are those that all kinds take."""
    config = t_llama_config()
    config.vocab_size = VOCABULARY
    return random_model(config)


def _bitsandbytes(**options: Any) -> Callable[[PreTrainedModel, Path], None]:
    def quantise(model: PreTrainedModel, folder: Path) -> None:
        plain = folder.with_name(f"{folder.name}-plain")
        model.save_pretrained(plain)
        asked = BitsAndBytesConfig(llm_int8_skip_modules=LEFT, **options)
        AutoModelForCausalLM.from_pretrained(plain, quantization_config=asked).save_pretrained(folder)

    return quantise


def _compressed(
    bits: int,
    kind: str,
    activations: bool = False,
    groups: bool = False,
    targets: Sequence[str] = ("Linear",),
) -> Callable[[PreTrainedModel, Path], None]:
    def quantise(model: PreTrainedModel, folder: Path) -> None:
        common: dict[str, Any] = {"type": kind, "symmetric": True}
        shared = {"strategy": "group", "group_size": SIZE} if groups else {"strategy": "channel"}
        weights = QuantizationArgs(num_bits=bits, **common, **shared)
        inputs = QuantizationArgs(num_bits=bits, strategy="token", dynamic=True, **common)
        scheme = QuantizationScheme(
            targets=list(targets), weights=weights, input_activations=inputs if activations else None
        )
        config = QuantizationConfig(config_groups={"group_0": scheme}, ignore=LEFT)
        apply_quantization_config(model, config)
        for module in model.modules():
            if getattr(module, "quantization_scheme", None) is not None:
                _set_scales(module, weights)
        compressor = ModelCompressor.from_pretrained_model(model)
        compressor.compress_model(model)
        model.save_pretrained(folder)
        compressor.update_config(str(folder))

    return quantise


def _set_scales(module: nn.Module, weights: QuantizationArgs) -> None:
    weight = module.get_parameter("weight").float()
    rows = weight.reshape(len(weight), -1, SIZE) if weights.strategy == "group" else weight[:, None]
    scale, zero = calculate_qparams(rows.amin(-1), rows.amax(-1), weights)
    for name, value in (("weight_scale", scale), ("weight_zero_point", zero)):
        if name in module._parameters:
            parameter = module.get_parameter(name)
            parameter.data = value.to(parameter.dtype).reshape(parameter.shape)
    setattr(module, "quantization_status", QuantizationStatus.FROZEN)  # noqa: B010 - no attribute of all modules


def _fp8(model: PreTrainedModel, folder: Path) -> None:
    model.save_pretrained(folder)
    tensors = load_file(folder / "model.safetensors")
    for name in list(tensors):
        if "_proj." in name and name.removesuffix(".weight") not in LEFT:
            tensors |= _in_blocks(name, tensors[name])
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    _add_config(
        folder,
        {
            "quant_method": "fp8",
            "activation_scheme": "dynamic",
            "weight_block_size": [SIZE, SIZE],
            "modules_to_not_convert": LEFT,
        },
    )


def _in_blocks(name: str, weight: Tensor) -> dict[str, Tensor]:
    rows, columns = weight.shape
    squares = weight.float().view(rows // SIZE, SIZE, columns // SIZE, SIZE)
    scale = squares.abs().amax((1, 3)) / torch.finfo(torch.float8_e4m3fn).max
    codes = (squares / scale[:, None, :, None]).view(rows, columns).to(torch.float8_e4m3fn)
    return {name: codes, f"{name}_scale_inv": scale}


def _add_config(folder: Path, config: Mapping[str, Any]) -> None:
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "quantization_config": config}))


KINDS: Mapping[str, Callable[[PreTrainedModel, Path], None]] = {
    "bitsandbytes 4 bit": _bitsandbytes(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True
    ),
    "bitsandbytes 4 bit, fp4": _bitsandbytes(
        load_in_4bit=True, bnb_4bit_quant_type="fp4", bnb_4bit_compute_dtype=torch.bfloat16
    ),
    "bitsandbytes 8 bit": _bitsandbytes(load_in_8bit=True),
    "compressed-tensors int4": _compressed(4, "int", groups=True),
    "compressed-tensors int8, activations": _compressed(8, "int", activations=True),
    "compressed-tensors fp8, activations": _compressed(8, "float", activations=True),
    "compressed-tensors by pattern": _compressed(
        4, "int", groups=True, targets=[r"re:.*layers\.(0|2|4)\..*_proj$", "model.layers.5.mlp.up_proj"]
    ),
    "fp8": _fp8,
}


def quantised(kind: str, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> Path:
    """A checkpoint of `model`, which is changed, quantised by `kind`."""
    KINDS[kind](model, folder)
    tokenizer.save_pretrained(folder)
    return folder


def as_transformers_runs_it(folder: Path, **options: Any) -> PreTrainedModel:
    """Loaded by transformers alone, without what bitsandbytes does to 4-bit weights on some processors."""
    model = AutoModelForCausalLM.from_pretrained(folder, **options)
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            setattr(module, "support_avx512bf16_for_cpu", False)  # noqa: B010
    assert isinstance(model, PreTrainedModel)
    model.eval()
    return model
