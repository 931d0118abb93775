"""Comparing a checkpoint with the subnetwork in memory before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import LongTensor, Tensor
from transformers import PreTrainedModel

from depthkit_worker.errors import DepthkitError
from depthkit_worker.models.decoder import Decoder
from depthkit_worker.models.logits import Reader
from depthkit_worker.models.onednn import use_onednn
from depthkit_worker.subnetworks.gates import removed
from depthkit_worker.subnetworks.subnetwork import Subnetwork

BATCH, SEQUENCE = 2, 24

_BOUNDS: Mapping[torch.dtype, float] = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}
"""Largest difference of logits allowed, by the largest logit where that is above 1. Folds change the order of
additions, and narrower dtypes round each sum."""


def allowed_difference(dtype: torch.dtype, largest: float) -> float:
    """How far logits computed in `dtype` may be off; `largest` of their absolute values."""
    return _BOUNDS[dtype] * max(1.0, largest)


def check_built(subnetwork: Subnetwork, model: PreTrainedModel) -> None:
    """Compare the logits of `model`, built from a checkpoint's tensors, with those of `subnetwork` in memory,
    both in the loaded dtype, on a fixed batch of 2 x 24 tokens. An export with a larger difference than is
    allowed stops here."""
    decoder = subnetwork.decoder
    ids = fixed_batch(decoder)
    with removed(subnetwork):
        expected = logits_of(decoder.model, ids)
    reader = Reader("Comparing the checkpoint with the model in memory", decoder.dtype, "probe")
    reader.check(expected, range(len(ids)))
    difference = float((logits_of(model, ids) - expected).abs().max())
    allowed = allowed_difference(decoder.dtype, float(expected.abs().max()))
    if not difference <= allowed:  # NaN too.
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"The checkpoint's logits differ from the subnetwork's in memory by up to {difference:.3g}, and "
            f"{allowed:.3g} is allowed in {decoder.dtype}. Nothing was written. Load the model as float32 "
            "and export again; if it still differs, leave the repairs out, and report it.",
            difference=repr(difference),
            allowed=allowed,
        )


def loaded_difference(
    loaded: Any,
    make_ready: Callable[[PreTrainedModel], object],
    ids: LongTensor,
    expected: Tensor,
    dtype: torch.dtype,
    what: str,
    remedy: str,
) -> float:
    """The largest difference between `expected`, logits computed in `dtype`, and those of what
    `from_pretrained` has `loaded` from written files, with its report. `what` of the files and `remedy` are
    for the refusal: a tensor at fault, or more than is allowed, stops the export."""
    model, report = loaded
    faults = {kind: sorted(map(str, names)) for kind, names in report.items() if names}
    difference = float("inf")
    if not faults:
        make_ready(model)
        difference = float((logits_of(model, ids) - expected).abs().max())
    allowed = allowed_difference(dtype, float(expected.abs().max()))
    if not difference <= allowed:  # NaN too.
        raise DepthkitError(
            "EXPORT_UNSUPPORTED",
            f"{what} otherwise than the subnetwork in memory: its logits differ by up to {difference:.3g}, "
            f"and {allowed:.3g} is allowed in {dtype}; tensors at fault: {faults or 'none'}. Nothing is left "
            f"of it{remedy}",
            difference=repr(difference),
        )
    return difference


def fixed_batch(decoder: Decoder) -> LongTensor:
    length = min(SEQUENCE, decoder.context_length or SEQUENCE)
    # A step without a common factor with most vocabularies' sizes: many tokens, none of them chosen.
    ids = (torch.arange(BATCH * length, device=decoder.device) * 7919 + 17) % decoder.vocabulary_size
    batch = ids.view(BATCH, length)
    assert isinstance(batch, LongTensor) or batch.dtype == torch.long
    return batch  # type: ignore[return-value]


@torch.no_grad()
def logits_of(model: PreTrainedModel, ids: LongTensor) -> Tensor:
    """fp32 (sequences, tokens, vocabulary), with the products of a loaded model, so that equal weights give
    equal bits."""
    use_onednn(model)
    logits = model(input_ids=ids, use_cache=False).logits
    assert isinstance(logits, Tensor)
    return logits.float()
