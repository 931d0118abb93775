"""Names of dtypes, as the contract and configurations write them."""

from __future__ import annotations

import torch


def dtype_name(dtype: torch.dtype) -> str:
    """Such as bfloat16."""
    return str(dtype).removeprefix("torch.")
