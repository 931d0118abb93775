"""The precision `screen`: products in bfloat16 where the model's own are in float32, for looking at many
subnetworks at a time.

PyTorch's autocast does it, around a step through a block and around the head's product alone. What is added
up stays in float32: the residual stream, norms, and log sum exp over the logits. Weights are cast product by
product, so that nothing is kept that could be out of date, and none of the memory is taken twice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch

from depthkit_worker.contract.wire import EngineOptions, Screening
from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.dtypes import dtype_name

Products = Callable[[], AbstractContextManager[object]]
"""What products are computed inside of."""
own_products: Products = nullcontext
"""As the model itself computes them."""


def fast_bfloat16(device: torch.device) -> bool:
    """Whether products in bfloat16 are the faster ones there: on a CPU without instructions for them they
    take seven times as long as in float32."""
    if device.type == "cpu":
        return torch._C._has_mkldnn and torch.cpu._is_avx512_bf16_supported()
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def screening_of(decoder: Decoder, fast: Callable[[torch.device], bool] = fast_bfloat16) -> Screening | None:
    """What `screen` multiplies in; None where it has nothing to offer."""
    if decoder.dtype != torch.float32:
        return None
    return "bfloat16" if fast(decoder.device) else "float32"


def screening_asked(
    decoder: Decoder, options: EngineOptions, fast: Callable[[torch.device], bool]
) -> Screening | None:
    """What `screen` multiplies in, where it was asked for."""
    if options.precision == "exact":
        return None
    screening = screening_of(decoder, fast)
    if screening is None:
        raise DepthkitError(
            "INVALID_ARGUMENT",
            f"The precision screen was asked for, and {decoder.source.name} is loaded in "
            f"{dtype_name(decoder.dtype)}: its products are as fast already. Leave `precision` out, or load "
            "the model in float32.",
            precision=options.precision,
            dtype=dtype_name(decoder.dtype),
        )
    return screening


def screened_products(device: torch.device) -> Products:
    return partial(torch.autocast, device.type, dtype=torch.bfloat16, cache_enabled=False)


def screening_note(device: torch.device) -> str:
    return (
        f"screen was asked for, and {device} has no fast instructions for bfloat16: computed in float32, "
        "which is exact"
    )
