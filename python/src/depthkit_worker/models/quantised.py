"""Quantised checkpoints, told by their kind before any weight is read: which run here, and why others do
not."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.extras import install_command, is_installed

KEYS = ("quantization_config", "compression_config")
"""Of config.json, and of its `text_config`; the second is what compressed-tensors first wrote."""

Method = Literal["bitsandbytes", "compressed-tensors", "fp8"]

_LOAD = "AutoModelForCausalLM.from_pretrained(folder"
_AGAIN = "Use the checkpoint it was quantised from, and quantise what depthkit exports."
# What each recipe gives was run on tiny models on a CPU.
_DEQUANTISED: Mapping[str, str] = {
    "bitsandbytes": f"with bitsandbytes installed, {_LOAD}).dequantize()",
    "compressed-tensors": f"with compressed-tensors installed, {_LOAD}, "
    "quantization_config=CompressedTensorsConfig(dequantize=True))",
    "fp8": f"{_LOAD}, quantization_config=FineGrainedFP8Config(dequantize=True))",
}
"""Kinds that transformers makes plain weights of, and how."""
_NAMES: Mapping[str, str] = {"gptq": "GPTQ", "awq": "AWQ", "fp8": "FP8"}
_MODULES: Mapping[str, str] = {
    "bitsandbytes": "bitsandbytes",
    "compressed-tensors": "compressed_tensors",
}
"""What a kind is run by, beside transformers. Each is an extra of the kind's name."""
_GPTQMODEL = (
    "transformers runs it by gptqmodel, whose kernels are compiled for a machine as it is installed; it is "
    "no extra of depthkit, and was not run"
)
_NOT_RUN: Mapping[str, str] = {"gptq": _GPTQMODEL, "awq": _GPTQMODEL}


@dataclass(frozen=True)
class Quantisation:
    """How a checkpoint that can be run is quantised."""

    method: Method
    bits: tuple[int, ...]
    """Of its quantised weights, ascending."""
    scheme: str
    """Within the method: nf4, int8, pack-quantized."""
    rounds_activations: bool
    """Whether what goes into its products is rounded too, in a way that no gradient comes back from."""
    library: str | None
    """What it is run by beside transformers, with the release; None: nothing."""

    @property
    def packed(self) -> bool:
        """Whether it lies in memory as it lies in the files. Others are made plain as they are loaded."""
        return self.method == "bitsandbytes"

    def notes(self, folder: Path) -> tuple[str, ...]:
        """What to know of figures."""
        if not self.packed:
            return (
                f"{folder} is quantised by {self}, and transformers makes plain weights of it at loading. "
                "Here it takes the memory, and the time, of the plain model.",
            )
        if self.bits == (8,):
            return (
                f"{folder} is quantised by {self}: columns in which some token of a sequence is large are "
                "not rounded, so what a token answers depends a little on those behind it too, and cached "
                "answers are not quite uncached ones.",
            )
        return ()

    def __str__(self) -> str:
        bits = " and ".join(map(str, self.bits))
        return f"{_NAMES.get(self.method, self.method)}, {bits} bit ({self.scheme})"


def quantisation_of(folder: Path, content: Mapping[str, Any]) -> Quantisation | None:
    """How the checkpoint of the configuration `content` is quantised; None: it is not. Refuses what does not
    run here, with what to do."""
    text = content.get("text_config")
    for part in (content, text if isinstance(text, dict) else {}):
        for key in KEYS:
            if part.get(key) is not None:
                return _known(folder, key, part[key], inner=part is not content)
    return None


def _known(folder: Path, key: str, config: object, inner: bool) -> Quantisation:
    method = _method(key, config)
    if method is None:
        raise DepthkitError(
            "MODEL_INVALID",
            f"{folder / 'config.json'} has a {key} that names no quant_method: {str(config)[:80]}. Compare "
            "the file with the one that was published.",
            path=str(folder / "config.json"),
        )
    assert isinstance(config, dict)
    if method not in _DEQUANTISED:
        why = _NOT_RUN.get(method, "it is none of the kinds that depthkit has run")
        raise _refusal(folder, method, why)
    if inner or key != "quantization_config":
        raise _refusal(folder, method, f"its {key} stands where transformers' own quantised models have none")
    if not any(folder.glob("*.safetensors")):
        raise _refusal(folder, method, "its weights are no safetensors files, and an export copies these")
    match method:
        case "bitsandbytes":
            return _bitsandbytes(folder, config)
        case "compressed-tensors":
            return _compressed_tensors(folder, config)
    return Quantisation("fp8", (8,), _fp8_scheme(config), rounds_activations=False, library=None)


def _bitsandbytes(folder: Path, config: Mapping[str, Any]) -> Quantisation:
    library = _required(folder, "bitsandbytes")
    if config.get("load_in_4bit"):
        scheme = str(config.get("bnb_4bit_quant_type", "fp4"))
        return Quantisation("bitsandbytes", (4,), scheme, rounds_activations=False, library=library)
    return Quantisation("bitsandbytes", (8,), "int8", rounds_activations=False, library=library)


def _compressed_tensors(folder: Path, config: Mapping[str, Any]) -> Quantisation:
    for key, what in (
        ("kv_cache_scheme", "a rounded cache of keys and values"),
        ("transform_config", "rotations of the stream"),
        ("sparsity_config", "sparse weights"),
    ):
        if config.get(key):
            raise _refusal(folder, "compressed-tensors", f"it has {what} ({key}), which was not run")
    groups = config.get("config_groups")
    schemes = list(groups.values()) if isinstance(groups, dict) else []
    weights = [one.get("weights") for one in schemes if isinstance(one, dict)]
    bits = sorted({one["num_bits"] for one in weights if isinstance(one, dict) and "num_bits" in one})
    if not bits:
        raise _refusal(
            folder, "compressed-tensors", "none of its config_groups says with how many bits weights are kept"
        )
    rounded = any(one.get("input_activations") or one.get("output_activations") for one in schemes)
    library = _required(folder, "compressed-tensors")
    form = str(config.get("format", "dense"))
    return Quantisation("compressed-tensors", tuple(bits), form, rounded, library)


def _fp8_scheme(config: Mapping[str, Any]) -> str:
    size = config.get("weight_block_size")
    return f"blocks of {'x'.join(map(str, size))}" if isinstance(size, list | tuple) else "one scale a matrix"


def _required(folder: Path, method: str) -> str:
    """The library of `method` with its release. Refuses where it is not installed."""
    module = _MODULES[method]
    if is_installed(module):
        return f"{method} {importlib.metadata.version(method)}"
    command = install_command(method)
    raise DepthkitError(
        "MODULE_MISSING",
        f"{folder} is quantised by {method}, and running it needs the Python module {module}, which "
        f"{sys.executable} does not have. Run: {command}. Or: {_plain_weights(method)}",
        module=module,
        command=command,
        quantMethod=method,
    )


def _plain_weights(method: str) -> str:
    return (
        f"transformers makes plain weights of this one, {_DEQUANTISED[method]}; save_pretrained them to a "
        "folder, with the tokenizer. Figures are then those of the quantised weights, in the plain dtype."
    )


def refused(folder: Path, quantisation: Quantisation, why: str) -> DepthkitError:
    """The refusal of a quantised checkpoint of a kind that is run otherwise."""
    return _refusal(folder, quantisation.method, why)


def unfit(name: str, quantisation: Quantisation, doing: str, why: str) -> DepthkitError:
    """The refusal of a call that the loaded model `name` is not fit for."""
    return DepthkitError(
        "MODEL_UNSUPPORTED",
        f"{doing}: {name} is quantised by {quantisation}, {why}. {_AGAIN} Without it: "
        f"{_plain_weights(quantisation.method)}",
        quantMethod=quantisation.method,
    )


def _refusal(folder: Path, method: str, why: str) -> DepthkitError:
    remedy = f"{_AGAIN} Without it: {_plain_weights(method)}" if method in _DEQUANTISED else _AGAIN
    return DepthkitError(
        "MODEL_UNSUPPORTED",
        f"{folder} is quantised by {_NAMES.get(method, method)}, and depthkit does not load it: {why}. "
        f"{remedy}",
        folder=str(folder),
        quantMethod=method,
    )


def _method(key: str, config: object) -> str | None:
    if not isinstance(config, dict):
        return None
    method = config.get("quant_method")
    if method is None and key == "compression_config":
        return "compressed-tensors"
    if method is None and (config.get("load_in_4bit") or config.get("load_in_8bit")):
        return "bitsandbytes"  # As it was written before kinds had names.
    return method if isinstance(method, str) else None
