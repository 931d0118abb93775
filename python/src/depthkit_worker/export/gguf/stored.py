"""The whole model's tensors by their names in a GGUF file, raw from a base file or converted from memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as Kind
from numpy.typing import NDArray
from torch import Tensor

from depthkit_worker.export.as_llama import head_size
from depthkit_worker.export.block_places import Place
from depthkit_worker.export.gguf.architectures import LLAMA_TENSORS
from depthkit_worker.models.decoder import Decoder

Numbers = NDArray[Any]
UNQUANTISED = (Kind.F32, Kind.F16, Kind.BF16)
KINDS: Mapping[str, Kind] = {
    "float32": Kind.F32,
    "float16": Kind.F16,
    "bfloat16": Kind.BF16,
    "q8_0": Kind.Q8_0,
}


@dataclass(frozen=True)
class Stored:
    shape: tuple[int, ...]
    """Rows first, as numpy has it."""
    kind: Kind
    """As it is stored, or as it is to be where nobody asks for another."""
    wide: Callable[[], Numbers]
    """Its float32 values, computed when it is written."""
    raw: Callable[[], Numbers] | None = None
    """The bytes of a base file, which are copied; None where it has none to copy."""
    fixed: bool = False
    """Whether it is of `kind` whatever dtype is asked for."""


def base_tensors(reader: gguf.GGUFReader) -> dict[str, Stored]:
    """Those of a file. Their bytes stay in it until they are written."""
    return {tensor.name: _of_file(tensor) for tensor in reader.tensors}


def _of_file(tensor: gguf.ReaderTensor) -> Stored:
    def wide() -> Numbers:
        return gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32).reshape(shape)

    shape = tuple(int(size) for size in reversed(tensor.shape))
    return Stored(shape, tensor.tensor_type, wide, lambda: tensor.data)


def around_blocks(decoder: Decoder) -> dict[str, Stored]:
    """Embedding, final norm and a head of its own, of a Llama."""
    model, kind = decoder.model, stored_kind(decoder)
    found = {
        "token_embd.weight": model.get_input_embeddings().weight,
        "output_norm.weight": model.get_submodule(decoder.family.final_norm).weight,
    }
    if not decoder.config.tie_word_embeddings:
        found["output.weight"] = model.get_output_embeddings().weight
    stored = {name: from_memory(weight, kind) for name, weight in found.items()}  # type: ignore[arg-type]
    if (factors := _rope_factors(decoder)) is not None:
        stored["rope_freqs.weight"] = factors
    return stored


def block_tensors(
    decoder: Decoder, place: Place, names: Sequence[str] | None, kind: Kind
) -> dict[str, Stored]:
    """What `place` runs, by the names of a Llama in a GGUF file; of `names` in its block, or of all."""
    assert place.block is not None
    found = {}
    for name, own in place.block.state_dict().items():
        module, _, part = name.rpartition(".")
        if names is not None and name not in names:
            continue
        heads = _heads(decoder, module)
        found[f"blk.{place.index}.{LLAMA_TENSORS[module]}.{part}"] = from_memory(
            own, kind, partial(_value, place, name, heads)
        )
    return found


def _value(place: Place, name: str, heads: int | None) -> Numbers:
    value = numbers(place.tensor(name))
    return value if heads is None else _interleaved(value, heads)


def _heads(decoder: Decoder, module: str) -> int | None:
    """Of the queries or keys, whose rows llama.cpp has in another order."""
    config = decoder.config
    return {
        "self_attn.q_proj": int(config.num_attention_heads),
        "self_attn.k_proj": int(config.num_key_value_heads),
    }.get(module)


def _interleaved(value: Numbers, heads: int) -> Numbers:
    """Rows of queries or keys, (heads x size, ...), as arch llama has them: rotary positions turn neighbours
    there, and in transformers a number of the first half of a head with one of the second."""
    halves = value.reshape(heads, 2, value.shape[0] // heads // 2, *value.shape[1:])
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(value.shape))


def from_memory(own: Tensor, kind: Kind, value: Callable[[], Numbers] | None = None) -> Stored:
    """A tensor of the model, or what `value` makes of it; vectors are always float32."""
    narrow = Kind.F32 if own.ndim == 1 else kind
    return Stored(tuple(own.shape), narrow, partial(numbers, own) if value is None else value)


def numbers(tensor: Tensor) -> Numbers:
    return tensor.detach().to("cpu", torch.float32).contiguous().numpy()


def stored_kind(decoder: Decoder) -> Kind:
    """What the source's own dtype is called."""
    return KINDS[decoder.source.stored_dtype]


def changed_kind(before: Stored | None) -> Kind:
    """What a changed weight is written as beside those of a base: as before, or F16 beside quantised ones."""
    return before.kind if before is not None and before.kind in UNQUANTISED else Kind.F16


def of_block(names: Mapping[str, Stored], index: int) -> Iterator[tuple[str, Stored]]:
    """The tensors of one block, by their names in it."""
    prefix = f"blk.{index}."
    return ((name.removeprefix(prefix), one) for name, one in names.items() if name.startswith(prefix))


def _rope_factors(decoder: Decoder) -> Stored | None:
    """What Llama 3 divides its rotary frequencies by, which llama.cpp reads as a tensor; None without."""
    config, rope = decoder.config, decoder.config.rope_parameters
    if rope["rope_type"] != "llama3":
        return None
    size = head_size(config)
    waves = 2 * math.pi * float(rope["rope_theta"]) ** (np.arange(0, size, 2) / size)
    turns = float(rope["original_max_position_embeddings"]) / waves
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    factors = (1 / ((1 - smooth) / float(rope["factor"]) + smooth)).astype(np.float32)
    return Stored(factors.shape, Kind.F32, lambda: factors, fixed=True)
